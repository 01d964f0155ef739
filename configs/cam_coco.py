# The plain CAM on COCO 2014: one view, tags only.
_base_ = [
    './_base_/models/cam_resnet38.py',
    './_base_/datasets/cam_coco.py',
    './_base_/schedules/cam_coco.py',
    './_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(size=(321, 321)), decode_head=dict(num_classes=81))
