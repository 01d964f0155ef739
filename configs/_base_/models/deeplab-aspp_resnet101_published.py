# What the published code calls DeepLab v2: dilated and global features side by side, mixed, classified.
_base_ = ['./deeplab-largefov_resnet101.py']
model = dict(
    decode_head=dict(
        _delete_=True,
        type='ConcatASPPHead',
        in_channels=2048,
        in_index=0,
        channels=256,
        dilations=(6, 12, 18, 24),
        num_classes=21,
        norm_eval=False,
        train_bn_affine=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
