# Pixel-to-prototype contrast on SEAM (Du et al., CVPR 2022), with the paper's semantics.
_base_ = ['./seam_voc.py']
model = dict(
    neck=dict(type='PixelProjector', in_channels=4096, out_channels=128),
    view=dict(_delete_=True, type='RescaleView', size=(128, 128)),
    losses=dict(
        contrast=dict(
            type='PixelPrototypeContrastLoss',
            topk=32,
            temperature=0.1,
            bg_threshold=0.2,
            cross_weight=0.1,
            intra_weight=0.1,
        )
    ),
)
mask_stage = dict(threshold=0.26)
