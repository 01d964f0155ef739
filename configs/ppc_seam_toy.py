# Pixel-to-prototype contrast on SEAM on the toy set.
_base_ = ['./seam_toy.py']
model = dict(
    neck=dict(type='PixelProjector', in_channels=512, out_channels=64),
    losses=dict(contrast=dict(type='PixelPrototypeContrastLoss', topk=32, bg_threshold=0.2)),
)
