# PSA on the laptop backbone, for the seeds of ppc_seam_laptop.py, whose background threshold is high.
_base_ = [
    './_base_/models/psa_laptop.py',
    './_base_/datasets/psa_laptop.py',
    './_base_/schedules/laptop.py',
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
        low=dict(constant=0.55),
        high=dict(constant=0.35),
    ),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
)
