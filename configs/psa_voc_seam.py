# AffinityNet refines the seeds of SEAM, with its values: soft unaries, and a background that follows the scores.
_base_ = ['./psa_voc.py']
seed_dir = 'work_dirs/seam_voc/seeds'
test_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadSeed', seed_dir=seed_dir),
    dict(type='LoadIndexMask'),
    dict(type='PackTaggedInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
default_hooks = dict(
    labels=dict(seed_dir=seed_dir, crf='psa', low=dict(alpha=4), high=dict(alpha=24)),
    masks=dict(seed_dir=seed_dir),
)
model = dict(test_cfg=dict(background=dict(alpha=6, constant=None), log_steps=6))
