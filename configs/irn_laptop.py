# IRN on the laptop backbone, for the seeds of ppc_seam_laptop.py, whose background threshold is high.
_base_ = [
    './_base_/models/irn_laptop.py',
    './_base_/datasets/affinity_laptop.py',
    './_base_/schedules/laptop.py',
    './_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadConfidentLabels'),
    dict(type='RandomScale', low=0.5, high=1.5),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCropPad', crop_size=224, pad_value=(127.0, 127.0, 127.0)),
    dict(type='ShrinkMask', stride=4),
    dict(type='PackTaggedInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
auto_scale_lr = dict(base_batch_size=8)
val_cfg = None
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=50),
    labels=dict(
        type='ConfidentLabelHook',
        kind='irn',
        seed_dir={{_base_.seed_dir}},
        fg_threshold=0.55,
        bg_threshold=0.35,
    ),
    mean_displacement=dict(type='MeanDisplacementHook'),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
)
