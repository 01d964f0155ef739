# The published optimiser of the CAM stages: SGD whose effective momentum is the weight decay's value, since the weight
# decay went into the momentum's argument; new layers learn ten times as fast; poly decay of power 0.9.
max_iters = 10576  # 8 epochs of 10,582 pictures in batches of 8
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=5e-4, weight_decay=5e-4),
    paramwise_cfg=dict(
        custom_keys={'decode_head': dict(lr_mult=10), 'neck': dict(lr_mult=10)},
        bias_lr_mult=2,
        bias_decay_mult=0,
    ),
)
param_scheduler = [
    # MMEngine's decay ends one step early: end=max_iters+1 gives the published (1 - k / max_iters) ** 0.9.
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 1, by_epoch=False)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=2644)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=8)
