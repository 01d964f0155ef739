# The same with the terms and the semantics of the published branch, see docs/method.md for the differences.
_base_ = ['./ppc_eps_laptop.py']
model = dict(
    decode_head=dict(
        refine=dict(
            type='PixelCorrelation', in_channels=(40, 112), in_indices=(2, 3), channels=(64, 128)
        )
    ),
    losses=dict(
        equivariance=dict(type='EquivarianceLoss', resolution='feature'),
        saliency=dict(maps='both'),
        contrast=dict(preset='published', cam_source='refined'),
    ),
)
