# Pixel-to-prototype contrast on EPS on the toy set.
_base_ = ['./eps_toy.py']
model = dict(
    neck=dict(type='PixelProjector', in_channels=512, out_channels=64),
    view=dict(type='RescaleView', size=(64, 64)),
    losses=dict(
        contrast=dict(
            type='PixelPrototypeContrastLoss', cam_source='softmax', topk=16, bg_threshold=0.1
        )
    ),
)
mask_stage = dict(_delete_=True, alpha=8, crf='eps')
