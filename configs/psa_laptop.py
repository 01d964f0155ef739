# PSA on the laptop backbone, for the seeds of ppc_seam_laptop.py, whose background threshold is high.
_base_ = [
    './_base_/models/psa_laptop.py',
    './_base_/datasets/affinity_laptop.py',
    './_base_/schedules/laptop.py',
    './_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadConfidentMaps'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    # At the original scale. The maps are 0 outside of the picture: no label.
    dict(type='RandomCropPad', crop_size=224, pad_value=(127.0, 127.0, 127.0), seg_pad_value=0),
    dict(type='PoolConfidentMaps', stride=8),
    dict(type='PackTaggedInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
max_iters = 536  # 8 epochs of 539 pictures in batches of 8
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 1, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
val_cfg = None
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=50),
    labels=dict(
        type='ConfidentLabelHook',
        kind='psa',
        seed_dir={{_base_.seed_dir}},
        crf='ppc_affinity',
        low=dict(constant=0.55),
        high=dict(constant=0.35),
    ),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
)
