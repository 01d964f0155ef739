# DeepLab v2 as its authors describe it, on the same ResNet101: four dilated classifiers, summed.
_base_ = ['./deeplab-largefov_resnet101.py']
model = dict(
    decode_head=dict(
        _delete_=True,
        type='SumASPPHead',
        in_channels=2048,
        in_index=0,
        dilations=(6, 12, 18, 24),
        num_classes=21,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
)
