# PPC on SEAM, IRN's boundaries and random walk, DeepLab-LargeFOV on EfficientNet-Lite0.
_base_ = ['./_base_/own_data.py', './_base_/seeds_affinity_deeplab.py']
threshold = dict(default=0.45)
stages = dict(
    cam=dict(config='../ppc_seam_laptop.py', epochs=4, min_iters=136),
    affinity=dict(config='../irn_laptop.py', epochs=2, min_iters=136),
    segmentation=dict(
        config='../deeplab-largefov_efficientnet-lite0_laptop.py', epochs=4, min_iters=272
    ),
)
