# SGD with real momentum; the head learns ten times as fast, its biases twenty times and without decay.
max_iters = 20000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=5e-4),
    paramwise_cfg=dict(
        custom_keys={
            'decode_head.conv_seg.bias': dict(lr_mult=20, decay_mult=0),
            # SumASPPHead has one classifier a dilation.
            'decode_head.conv_seg.0.bias': dict(lr_mult=20, decay_mult=0),
            'decode_head.conv_seg.1.bias': dict(lr_mult=20, decay_mult=0),
            'decode_head.conv_seg.2.bias': dict(lr_mult=20, decay_mult=0),
            'decode_head.conv_seg.3.bias': dict(lr_mult=20, decay_mult=0),
            'decode_head': dict(lr_mult=10),
        }
    ),
)
param_scheduler = [
    # The published decay runs over max_iters + 1 steps, and MMEngine's ends one step early.
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 2, by_epoch=False)
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=4000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=10)
