# DeepLab-LargeFOV on ResNet38, retrained on pseudo masks (SEAM, PPC; Table 3 of the paper).
# Other masks: --cfg-options mask_dir=DIR
_base_ = [
    './_base_/models/deeplab-largefov_resnet38.py',
    './_base_/datasets/seg_voc.py',
    './_base_/schedules/deeplab_20k.py',
    './_base_/default_runtime.py',
]
