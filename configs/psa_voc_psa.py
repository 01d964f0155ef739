# AffinityNet refines the seeds of the plain CAM, with the values of PSA: a longer walk, a smaller background, ten times
# the learning rate.
_base_ = ['./psa_voc.py']
seed_dir = 'work_dirs/cam_voc/seeds'
test_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadSeed', seed_dir=seed_dir),
    dict(type='LoadIndexMask'),
    dict(type='PackTaggedInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
default_hooks = dict(
    labels=dict(seed_dir=seed_dir, crf='psa', low=dict(alpha=4), high=dict(alpha=32)),
    masks=dict(seed_dir=seed_dir),
)
model = dict(test_cfg=dict(background=dict(alpha=16, constant=None), log_steps=8))
optim_wrapper = dict(optimizer=dict(lr=0.1))
