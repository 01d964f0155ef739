# DeepLab-LargeFOV on a narrow ResNet38, from scratch on the toy set's pseudo masks.
_base_ = [
    './_base_/models/deeplab-largefov_resnet38.py',
    './_base_/datasets/seg_toy.py',
    './_base_/schedules/toy.py',
    './_base_/default_runtime.py',
]
model = dict(
    data_preprocessor=dict(size=(112, 112)),
    backbone=dict(
        base_channels=8,
        depths=(1, 1, 1, 1),
        drop_ratios=(0.0, 0.0),
        train_bn_affine=True,
        norm_cfg=dict(momentum=0.1),
        init_cfg=None,
    ),
    decode_head=dict(
        in_channels=512,
        channels=64,
        num_classes=7,
        dilation=4,
        dropout_ratio=0.1,
        train_bn_affine=True,
        norm_cfg=dict(type='BN', momentum=0.1),
        # The published fan-out draws logits of size five at the start, too far off for a short training.
        init_cfg=dict(
            type='Kaiming', layer='Conv2d', override=dict(type='Normal', name='conv_seg', std=0.01)
        ),
        # Most objects have a few percent of the pixels, and 300 iterations from scratch would leave them out.
        loss_decode=dict(
            _delete_=True, type='WeightedCrossEntropyLoss', class_weight=[0.2] + [1.0] * 6
        ),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=3e-3))
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=50))
