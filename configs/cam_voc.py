# The plain CAM of PSA: one view, tags only.
_base_ = [
    './_base_/models/cam_resnet38.py',
    './_base_/datasets/cam_voc.py',
    './_base_/schedules/cam.py',
    './_base_/default_runtime.py',
]
max_iters = 9915  # 15 epochs of 10,582 pictures in batches of 16
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='RandomResizeLong', low=256, high=512),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='RandomCropPad', crop_size=448),
    dict(type='PackTaggedInputs'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=0.1))
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 1, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters)
auto_scale_lr = dict(base_batch_size=16)
