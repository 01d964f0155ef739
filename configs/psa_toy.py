# PSA on the toy set, for the seeds of ppc_seam_toy.py.
_base_ = [
    './_base_/models/psa_toy.py',
    './_base_/datasets/psa_toy.py',
    './_base_/schedules/toy.py',
    './_base_/default_runtime.py',
]
val_cfg = None
default_hooks = dict(
    logger=dict(interval=10),
    checkpoint=dict(interval=50),
    labels=dict(
        type='ConfidentLabelHook',
        kind='psa',
        seed_dir={{_base_.seed_dir}},
        label_dir={{_base_.label_dir}},
        crf='ppc_affinity',
        low=dict(constant=0.30),
        high=dict(constant=0.10),
    ),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
)
