# A narrow, shallow ResNet38 that learns from scratch: batch norm moves and nothing is frozen.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=(112, 112),
)
model = dict(
    type='CAMSegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='ResNet38',
        base_channels=8,
        depths=(1, 1, 1, 1),
        drop_ratios=(0.0, 0.0),
        frozen_stages=-1,
        norm_eval=False,
        train_bn_affine=True,
    ),
    decode_head=dict(type='CAMHead', in_channels=512, num_classes=7, dropout_ratio=0.3),
    losses=dict(tags=dict(type='TagClassificationLoss', pool='upsampled')),
    test_cfg=dict(activation='relu', normalize='min_max', threshold=0.2),
)
tta_model = dict(type='CAMTTAModel')
custom_hooks = [dict(type='SeedGenerationHook')]
mask_stage = dict(crf='seed', threshold_from='seed_metric_train.json')
