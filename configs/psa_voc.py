# AffinityNet of PSA refines the seeds of PPC on SEAM, with the values of PPC. Other seeds: --cfg-options seed_dir=DIR
_base_ = [
    './_base_/models/psa_resnet38.py',
    './_base_/datasets/psa_voc.py',
    './_base_/schedules/cam.py',
    './_base_/default_runtime.py',
]
val_cfg = None
default_hooks = dict(
    # What both CRFs are sure of: objects beside a large background (low), a background beside large objects (high).
    labels=dict(
        type='ConfidentLabelHook',
        kind='psa',
        seed_dir={{_base_.seed_dir}},
        label_dir={{_base_.label_dir}},
        crf='ppc_affinity',
        low=dict(alpha=4),
        high=dict(alpha=24),
    ),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
)
