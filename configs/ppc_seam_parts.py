# Pixel-to-prototype contrast on SEAM on the parts set.
_base_ = ['./seam_parts.py']
model = dict(
    neck=dict(type='PixelProjector', in_channels=512, out_channels=64),
    losses=dict(contrast=dict(type='PixelPrototypeContrastLoss', topk=32, bg_threshold=0.2)),
)
