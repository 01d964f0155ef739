# Pixel-to-prototype contrast on SEAM on the laptop backbone. Its maps have a high floor: the published background
# threshold of 0.2 takes most of the background for objects (docs/results.md).
_base_ = ['./seam_laptop.py']
model = dict(
    neck=dict(type='PixelProjector', in_channels=320, out_channels=128),
    losses=dict(contrast=dict(type='PixelPrototypeContrastLoss', topk=32, bg_threshold=0.4)),
)
