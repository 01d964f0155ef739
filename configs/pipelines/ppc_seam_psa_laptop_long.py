# PPC on SEAM for 20 epochs, PSA's random walk, DeepLab-LargeFOV on EfficientNet-Lite0: your own pictures, on a CPU,
# with more patience than ppc_seam_laptop.py needs. PSA's backgrounds lie around the threshold of the seeds, at the
# distances that were measured (docs/results.md).
_base_ = ['./_base_/own_data.py', './_base_/seeds_affinity_deeplab.py']
# Where there is no truth to choose by: near what was best on real pictures (docs/results.md).
threshold = dict(default=0.54)
stages = dict(
    cam=dict(config='../ppc_seam_laptop_long.py', epochs=20, min_iters=680),
    affinity=dict(
        config='../psa_laptop.py',
        epochs=8,
        min_iters=536,
        options={
            'default_hooks.labels.low.constant': '{threshold+0.09}',
            'default_hooks.labels.high.constant': '{threshold-0.11}',
        },
    ),
    masks=dict(options={'model.test_cfg.background.constant': '{threshold-0.06}'}),
    segmentation=dict(
        config='../deeplab-largefov_efficientnet-lite0_laptop.py', epochs=12, min_iters=816
    ),
)
