# SEAM on the parts set.
_base_ = ['./cam_parts.py']
model = dict(
    decode_head=dict(
        refine=dict(
            type='PixelCorrelation',
            in_channels=(64, 128),
            channels=(16, 32),
            out_channels=48,
        )
    ),
    view=dict(type='RescaleView', size=(64, 64)),
    losses=dict(equivariance=dict(type='EquivarianceLoss')),
)
