# The plain CAM on the laptop backbone for 20 epochs. What stands still is kept in files below cache_dir, for this and
# all further runs: five augmentations of each picture, instead of endless ones, and frozen features. See
# docs/caching.md.
_base_ = [
    './_base_/models/cam_laptop.py',
    './_base_/datasets/cam_laptop.py',
    './_base_/schedules/laptop_long.py',
    './_base_/default_runtime.py',
]
cache_dir = 'work_dirs/cache/laptop'
train_dataloader = dict(
    sampler=dict(draws=5, draw_seed=0, cache=dict(path=f'{cache_dir}/crops.sqlite', max_gb=2))
)
model = dict(
    backbone=dict(
        # `taps`: the frozen feature maps which the heads read, beside the trained part of the backbone.
        frozen_cache=dict(path=f'{cache_dir}/features.sqlite', taps=(), max_gb=10)
    )
)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=50))
