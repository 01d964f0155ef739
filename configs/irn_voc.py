# IRN refines the seeds of PPC on SEAM. Its thresholds are those for CAMs of a ResNet50: sweep them for other seeds.
_base_ = [
    './_base_/models/irn_resnet50.py',
    './_base_/datasets/irn_voc.py',
    './_base_/schedules/irn.py',
    './_base_/default_runtime.py',
]
default_hooks = dict(
    labels=dict(
        type='ConfidentLabelHook',
        kind='irn',
        seed_dir={{_base_.seed_dir}},
        label_dir={{_base_.label_dir}},
        fg_threshold=0.30,
        bg_threshold=0.05,
    ),
    # The displacement branch only serves instances; its mean is taken once, at the end of the training.
    mean_displacement=dict(type='MeanDisplacementHook'),
    masks=dict(type='PseudoMaskHook', seed_dir={{_base_.seed_dir}}),
    checkpoint=dict(interval=330),
)
