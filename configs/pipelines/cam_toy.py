# The plain CAM, dense CRF, DeepLab-LargeFOV, on the toy set.
_base_ = ['./_base_/toy_data.py', './_base_/seeds_crf_deeplab.py']
stages = dict(
    cam=dict(config='../cam_toy.py'),
    segmentation=dict(config='../deeplab-largefov_resnet38_toy.py'),
)
