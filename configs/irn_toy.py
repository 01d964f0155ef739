# IRN on the toy set, for the seeds of ppc_seam_toy.py.
_base_ = [
    './_base_/models/irn_toy.py',
    './_base_/datasets/irn_toy.py',
    './_base_/schedules/toy.py',
    './_base_/default_runtime.py',
]
val_cfg = None
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=50),
    labels=dict(
        type='ConfidentLabelHook',
        kind='irn',
        seed_dir={{_base_.seed_dir}},
        label_dir={{_base_.label_dir}},
        fg_threshold=0.30,
        bg_threshold=0.10,
    ),
    mean_displacement=dict(type='MeanDisplacementHook'),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
)
