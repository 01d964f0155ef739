# ResNet38 under mmseg's PSPHead, retrained on pseudo masks. Other masks: --cfg-options mask_dir=DIR
_base_ = ['../deeplab-largefov_resnet38_voc.py']
model = dict(
    decode_head=dict(
        _delete_=True,
        type='PSPHead',
        in_channels=4096,
        in_index=0,  # the backbone returns one feature, conv6 at stride 8
        channels=512,
        pool_scales=(1, 2, 3, 6),
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=dict(type='BN'),
        align_corners=True,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    )
)
