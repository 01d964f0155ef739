# IRN: 3 epochs, SGD whose effective momentum is the weight decay's value (it went into the momentum's argument); the
# displacement branch learns ten times as fast as the edge branch; poly decay of power 0.9.
max_iters = 990  # 3 epochs of 10,582 pictures in batches of 32
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'decode_head.displacement': dict(lr_mult=10)}),
)
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 1, by_epoch=False)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters)
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=32)
