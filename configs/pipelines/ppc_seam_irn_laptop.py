# PPC on SEAM, IRN's boundaries and random walk, DeepLab-LargeFOV on EfficientNet-Lite0. The sure labels and the walk's
# floor lie around the seeds' threshold as far as where they were measured.
_base_ = ['./_base_/own_data.py', './_base_/seeds_affinity_deeplab.py']
threshold = dict(default=0.49)
stages = dict(
    cam=dict(config='../ppc_seam_laptop.py', epochs=4, min_iters=136),
    affinity=dict(
        config='../irn_laptop.py',
        epochs=2,
        min_iters=136,
        options={
            'default_hooks.labels.fg_threshold': '{threshold+0.09}',
            'default_hooks.labels.bg_threshold': '{threshold-0.11}',
        },
    ),
    masks=dict(options={'model.test_cfg.seed_floor': '{threshold-0.11}'}),
    segmentation=dict(
        config='../deeplab-largefov_efficientnet-lite0_laptop.py', epochs=12, min_iters=816
    ),
)
