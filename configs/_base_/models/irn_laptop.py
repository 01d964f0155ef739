# IRN's boundary network on a frozen EfficientNet-Lite0: levels at strides 4, 8, 16 and 16.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[127.0, 127.0, 127.0],
    std=[128.0, 128.0, 128.0],
    bgr_to_rgb=True,
    size=(224, 224),
)
model = dict(
    type='AffinitySegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='FreezableTIMMBackbone',
        model_name='tf_efficientnet_lite0',
        features_only=True,
        output_stride=16,
        frozen_stages=7,
        norm_eval=True,
        train_bn_affine=False,
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0://imagenet'),
    ),
    decode_head=dict(
        type='BoundaryHead',
        in_channels=(24, 40, 112, 320),
        in_indices=(1, 2, 3, 4),
        strides=(4, 8, 16, 16),
    ),
    test_cfg=dict(
        radius=5,
        beta=10.0,
        log_steps=8,
        background=None,
        threshold=0.25,
        seed_floor=0.35,
        seed_resize='bilinear',
        flip=True,
    ),
)
