# PPC on SEAM, dense CRF, DeepLab-LargeFOV, on the toy set: some minutes on a CPU.
_base_ = ['./_base_/toy_data.py', './_base_/seeds_crf_deeplab.py']
stages = dict(
    cam=dict(config='../ppc_seam_toy.py'),
    segmentation=dict(config='../deeplab-largefov_resnet38_toy.py'),
)
