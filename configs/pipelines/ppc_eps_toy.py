# PPC on EPS, whose saliency maps are drawn with the toy set, dense CRF, DeepLab-LargeFOV.
_base_ = ['./_base_/toy_data.py', './_base_/seeds_crf_deeplab.py']
stages = dict(
    cam=dict(config='../ppc_eps_toy.py'),
    masks=dict(threshold=None),  # the config's background, which follows the scores
    segmentation=dict(config='../deeplab-largefov_resnet38_toy.py'),
)
