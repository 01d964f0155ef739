# EfficientNet-Lite0 at stride 16 under a CAM classifier: trains on a laptop's CPU in minutes.
num_classes = 7
crop = (224, 224)
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[127.0, 127.0, 127.0],
    std=[128.0, 128.0, 128.0],
    bgr_to_rgb=True,
    size=crop,
)
model = dict(
    type='CAMSegmentor',
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
    decode_head=dict(type='CAMHead', in_channels=320, num_classes=num_classes),
    losses=dict(tags=dict(type='TagClassificationLoss', pool='upsampled')),
    test_cfg=dict(activation='relu', normalize='min_max', threshold=0.2),
)
tta_model = dict(type='CAMTTAModel')
custom_hooks = [dict(type='SeedGenerationHook')]
mask_stage = dict(crf='seed', threshold_from='seed_metric_train.json')
