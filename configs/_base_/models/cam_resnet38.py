# ResNet38 under a classifier whose maps are the CAMs. Frozen parts, BN and dropout as published.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=(448, 448),
)
model = dict(
    type='CAMSegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='ResNet38',
        # From `tools/model_converters/published_to_mmppc.py ilsvrc-cls_rna-a1_cls1000_ep-0001.params <this>`
        init_cfg=dict(type='Pretrained', checkpoint='pretrained/resnet38.pth', prefix='backbone.'),
    ),
    decode_head=dict(type='CAMHead', in_channels=4096, num_classes=21),
    losses=dict(tags=dict(type='TagClassificationLoss', pool='mean')),
    # PSA: the sum over scales is divided by its maximum.
    test_cfg=dict(activation='relu', normalize='max', threshold=0.2),
)
tta_model = dict(type='CAMTTAModel')
# `tools/test.py` writes seeds to <work_dir>/seeds, `tools/make_masks.py` turns them into masks in <work_dir>/masks.
custom_hooks = [dict(type='SeedGenerationHook')]
mask_stage = dict(threshold=0.2, crf='seed')
