# PSA on the toy set, for the seeds of ppc_seam_toy.py.
_base_ = [
    './_base_/models/psa_toy.py',
    './_base_/datasets/affinity_toy.py',
    './_base_/schedules/toy.py',
    './_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadConfidentMaps'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='RandomCropPad', crop_size=112, seg_pad_value=0),
    dict(type='PoolConfidentMaps', stride=8),
    dict(type='PackTaggedInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_cfg = None
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=50),
    labels=dict(
        type='ConfidentLabelHook',
        kind='psa',
        seed_dir={{_base_.seed_dir}},
        crf='ppc_affinity',
        low=dict(constant=0.30),
        high=dict(constant=0.10),
    ),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
)
