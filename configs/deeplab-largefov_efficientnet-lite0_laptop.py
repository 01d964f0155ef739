# DeepLab-LargeFOV on the laptop backbone, retrained on pseudo masks. Other masks: --cfg-options mask_dir=DIR
_base_ = [
    './_base_/datasets/seg_laptop.py',
    './_base_/schedules/laptop.py',
    './_base_/default_runtime.py',
]
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
        size=(224, 224),
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='FreezableTIMMBackbone',
        model_name='tf_efficientnet_lite0',
        features_only=True,
        output_stride=16,
        frozen_stages=5,
        norm_eval=True,
        train_bn_affine=False,
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0://imagenet'),
    ),
    decode_head=dict(
        type='LargeFOVHead',
        in_channels=320,
        in_index=4,
        channels=256,
        num_classes=7,
        dilation=6,
        train_bn_affine=True,
        norm_cfg=dict(type='BN', momentum=0.1),
        # The published fan-out draws logits of size five at the start, too far off for a short training.
        init_cfg=dict(
            type='Kaiming', layer='Conv2d', override=dict(type='Normal', name='conv_seg', std=0.01)
        ),
        # The mean is over labelled pixels: crops are padded with 255.
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
tta_model = dict(type='LogitTTAModel')
optim_wrapper = dict(optimizer=dict(lr=0.002))
max_iters = 816  # 12 epochs of 539 pictures in batches of 8
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 1, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(interval=50))
