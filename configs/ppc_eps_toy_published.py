# The same with the terms and the semantics of the published branch, see docs/method.md for the differences.
_base_ = ['./ppc_eps_toy.py']
model = dict(
    decode_head=dict(
        refine=dict(
            type='PixelCorrelation', in_channels=(64, 128), channels=(16, 32), out_channels=48
        )
    ),
    losses=dict(
        equivariance=dict(type='EquivarianceLoss', resolution='feature'),
        saliency=dict(maps='both'),
        contrast=dict(preset='published', cam_source='refined'),
    ),
)
