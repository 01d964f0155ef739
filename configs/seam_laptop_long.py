# SEAM on the laptop backbone for 20 epochs.
_base_ = ['./cam_laptop_long.py']
model = dict(
    backbone=dict(frozen_cache=dict(taps=(2, 3))),
    decode_head=dict(
        refine=dict(
            type='PixelCorrelation', in_channels=(40, 112), in_indices=(2, 3), channels=(64, 128)
        )
    ),
    view=dict(type='RescaleView', size=(128, 128)),
    losses=dict(equivariance=dict(type='EquivarianceLoss')),
)
