# AffinityNet of PSA refines the seeds of PPC on SEAM, with the values of PPC. Other seeds: --cfg-options seed_dir=DIR
_base_ = [
    './_base_/models/psa_resnet38.py',
    './_base_/datasets/affinity_voc.py',
    './_base_/schedules/cam.py',
    './_base_/default_runtime.py',
]
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadConfidentMaps'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    # At the original scale. The maps are 0 outside of the picture: no label.
    dict(type='RandomCropPad', crop_size=448, seg_pad_value=0),
    dict(type='PoolConfidentMaps', stride=8),
    dict(type='PackTaggedInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_cfg = None
default_hooks = dict(
    # What both CRFs are sure of: objects beside a large background (low), a background beside large objects (high).
    labels=dict(
        type='ConfidentLabelHook',
        kind='psa',
        seed_dir={{_base_.seed_dir}},
        crf='ppc_affinity',
        low=dict(alpha=4),
        high=dict(alpha=24),
    ),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
)
