# PPC on SEAM, dense CRF, DeepLab-LargeFOV on EfficientNet-Lite0: your own pictures, on a CPU.
_base_ = ['./_base_/own_data.py', './_base_/seeds_crf_deeplab.py']
# Where there is no truth to choose by: near what was best on real pictures (docs/results.md).
threshold = dict(default=0.49)
stages = dict(
    cam=dict(config='../ppc_seam_laptop.py', epochs=4, min_iters=136),
    segmentation=dict(
        config='../deeplab-largefov_efficientnet-lite0_laptop.py', epochs=12, min_iters=816
    ),
)
