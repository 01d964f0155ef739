# Pixel-to-prototype contrast on SEAM on the laptop backbone for 20 epochs. The background threshold and the weights are
# those of ppc_seam_laptop.py.
_base_ = ['./seam_laptop_long.py']
model = dict(
    neck=dict(type='PixelProjector', in_channels=320, out_channels=128),
    losses=dict(
        contrast=dict(
            type='PixelPrototypeContrastLoss',
            topk=32,
            bg_threshold=0.4,
            cross_weight=1.0,
            intra_weight=1.0,
        )
    ),
)
