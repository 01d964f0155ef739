# The plain CAM on the parts set, from a pretrained backbone whose stem, first stages and batch norms stand still, as in
# the paper. tools/dataset_converters/prepare_parts.py data/parts makes the pictures and the backbone.
_base_ = ['./cam_toy.py']
data_root = 'data/parts'
max_iters = 250  # 4 epochs of 500 pictures in batches of 8
model = dict(
    backbone=dict(
        frozen_stages=2,
        norm_eval=True,
        train_bn_affine=False,
        init_cfg=dict(
            type='Pretrained', checkpoint=f'{data_root}/backbone.pth', prefix='backbone.'
        ),
    )
)
train_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root))
auto_scale_lr = dict(base_batch_size=8)
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
optim_wrapper = dict(
    optimizer=dict(lr=3e-4),
    paramwise_cfg=dict(custom_keys={'decode_head': dict(lr_mult=10), 'neck': dict(lr_mult=10)}),
)
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 1, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
