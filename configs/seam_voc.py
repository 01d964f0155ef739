# SEAM: the CAMs of a picture and of its small copy must agree, also after pixel correlation.
_base_ = [
    './_base_/models/cam_resnet38.py',
    './_base_/datasets/cam_voc.py',
    './_base_/schedules/cam.py',
    './_base_/default_runtime.py',
]
model = dict(
    decode_head=dict(refine=dict(type='PixelCorrelation')),
    view=dict(type='RescaleView', scale=0.3),
    losses=dict(
        tags=dict(pool='upsampled'),
        equivariance=dict(type='EquivarianceLoss'),
    ),
    test_cfg=dict(normalize='min_max'),
)
