# SEAM on the laptop backbone.
_base_ = ['./cam_laptop.py']
model = dict(
    decode_head=dict(
        refine=dict(
            type='PixelCorrelation', in_channels=(40, 112), in_indices=(2, 3), channels=(64, 128)
        )
    ),
    view=dict(type='RescaleView', size=(128, 128)),
    losses=dict(equivariance=dict(type='EquivarianceLoss')),
)
