# AffinityNet on EfficientNet-Lite0: levels at strides 8, 16 and 16, brought to stride 8.
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
        frozen_stages=5,
        norm_eval=True,
        train_bn_affine=False,
        init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0://imagenet'),
    ),
    decode_head=dict(
        type='AffinityHead',
        in_channels=(40, 112, 320),
        channels=(64, 128, 256),
        in_indices=(2, 3, 4),
        loss=dict(type='AffinityLoss', radius=5),
    ),
    test_cfg=dict(radius=5, beta=8.0, log_steps=6, background=dict(constant=0.4)),
)
