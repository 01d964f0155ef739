# Pixel-to-prototype contrast on SEAM on COCO 2014. The paper has no run on COCO: its terms as on VOC, nothing tuned.
_base_ = ['./seam_coco.py']
model = dict(
    neck=dict(type='PixelProjector', in_channels=4096, out_channels=128),
    view=dict(_delete_=True, type='RescaleView', size=(128, 128)),
    losses=dict(contrast=dict(type='PixelPrototypeContrastLoss', topk=32, bg_threshold=0.2)),
)
mask_stage = dict(threshold=0.26)
