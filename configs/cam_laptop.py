# The plain CAM on the laptop backbone.
_base_ = [
    './_base_/models/cam_laptop.py',
    './_base_/datasets/cam_laptop.py',
    './_base_/schedules/laptop.py',
    './_base_/default_runtime.py',
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=50))
