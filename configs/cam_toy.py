# The plain CAM on the toy set.
_base_ = [
    './_base_/models/cam_toy.py',
    './_base_/datasets/cam_toy.py',
    './_base_/schedules/toy.py',
    './_base_/default_runtime.py',
]
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=50))
