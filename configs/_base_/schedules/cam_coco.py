# The optimiser of the CAM stages for as long as EPS trains on COCO.
_base_ = ['./cam.py']
max_iters = 256500  # 50 epochs of 82,081 pictures in batches of 16
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 1, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=51300)
auto_scale_lr = dict(base_batch_size=16)
