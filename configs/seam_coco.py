# SEAM on COCO 2014. SEAM has no published run on COCO: its terms, with the data and the schedule of EPS.
_base_ = ['./cam_coco.py']
model = dict(
    decode_head=dict(refine=dict(type='PixelCorrelation')),
    view=dict(type='RescaleView', scale=0.3),
    losses=dict(
        tags=dict(pool='upsampled'),
        equivariance=dict(type='EquivarianceLoss'),
    ),
    test_cfg=dict(normalize='min_max'),
)
