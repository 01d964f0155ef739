# 20 epochs of 539 pictures in batches of 16.
_base_ = ['./laptop.py']
max_iters = 680
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 1, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
