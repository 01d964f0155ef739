# PPC on SEAM, PSA's random walk, DeepLab-LargeFOV, on the toy set.
_base_ = ['./_base_/toy_data.py', './_base_/seeds_affinity_deeplab.py']
stages = dict(
    cam=dict(config='../ppc_seam_toy.py'),
    affinity=dict(config='../psa_toy.py'),
    segmentation=dict(config='../deeplab-largefov_resnet38_toy.py'),
)
