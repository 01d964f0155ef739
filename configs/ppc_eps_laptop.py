# Pixel-to-prototype contrast on EPS on the laptop backbone.
_base_ = ['./eps_laptop.py']
model = dict(
    neck=dict(type='PixelProjector', in_channels=320, out_channels=128),
    view=dict(type='RescaleView', size=(128, 128)),
    losses=dict(
        contrast=dict(
            type='PixelPrototypeContrastLoss', cam_source='softmax', topk=16, bg_threshold=0.1
        )
    ),
)
mask_stage = dict(_delete_=True, alpha=8, crf='eps')
