# IRN refines the seeds of PPC on SEAM. Its thresholds are those for CAMs of a ResNet50: sweep them for other seeds.
_base_ = [
    './_base_/models/irn_resnet50.py',
    './_base_/datasets/affinity_voc.py',
    './_base_/schedules/irn.py',
    './_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadConfidentLabels'),
    dict(type='RandomScale', low=0.5, high=1.5),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCropPad', crop_size=512),
    dict(type='ShrinkMask', stride=4),
    dict(type='PackTaggedInputs'),
]
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
default_hooks = dict(
    labels=dict(
        type='ConfidentLabelHook',
        kind='irn',
        seed_dir={{_base_.seed_dir}},
        fg_threshold=0.30,
        bg_threshold=0.05,
    ),
    # The displacement branch only serves instances; its mean is taken once, at the end of the training.
    mean_displacement=dict(type='MeanDisplacementHook'),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
    checkpoint=dict(interval=330),
)
