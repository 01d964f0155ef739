# The same as the published branch has it: pixel correlation with all terms of SEAM at the maps' own resolution, the
# saliency loss on refined maps too, and the published semantics of the contrast, see docs/method.md. One fault is not
# reproduced: the branch puts the background last but keeps the first channel out of ECR's one-hot, a class then.
_base_ = ['./ppc_eps_voc.py']
poly_steps = 19830  # 15 epochs of 10,582 pictures in batches of 8: the last 170 of 20,000 iterations learn nothing
model = dict(
    decode_head=dict(refine=dict(type='PixelCorrelation')),
    losses=dict(
        equivariance=dict(type='EquivarianceLoss', resolution='feature'),
        saliency=dict(maps='both'),
        contrast=dict(preset='published', cam_source='refined'),
    ),
)
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=poly_steps + 1, by_epoch=False)
]
