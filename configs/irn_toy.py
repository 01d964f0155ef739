# IRN on the toy set, for the seeds of ppc_seam_toy.py.
_base_ = [
    './_base_/models/irn_toy.py',
    './_base_/datasets/affinity_toy.py',
    './_base_/schedules/toy.py',
    './_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadConfidentLabels'),
    dict(type='RandomScale', low=0.5, high=1.5),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCropPad', crop_size=112),
    dict(type='ShrinkMask', stride=4),
    dict(type='PackTaggedInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_cfg = None
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=50),
    labels=dict(
        type='ConfidentLabelHook',
        kind='irn',
        seed_dir={{_base_.seed_dir}},
        fg_threshold=0.30,
        bg_threshold=0.10,
    ),
    mean_displacement=dict(type='MeanDisplacementHook'),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
)
