# DeepLab-LargeFOV on ResNet38, retrained on pseudo masks of COCO 2014. There is no published run to follow: the recipe
# of VOC for five times as many steps. Other masks: --cfg-options mask_dir=DIR
_base_ = [
    './_base_/models/deeplab-largefov_resnet38.py',
    './_base_/datasets/seg_coco.py',
    './_base_/schedules/deeplab_20k.py',
    './_base_/default_runtime.py',
]
model = dict(decode_head=dict(num_classes=81))
max_iters = 100000
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 2, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=20000)
