# DeepLab-LargeFOV on ResNet101 with a deep stem, dilated to stride 8, as the published retraining runs it: batch norm
# on batch statistics, its scale and shift never trained, nothing frozen.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=(448, 448),
    pad_val=0,
    seg_pad_val=255,
)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='ResNetV1c',
        depth=101,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 2, 4),
        contract_dilation=True,
        out_indices=(3,),
        frozen_stages=-1,
        norm_eval=False,
        norm_cfg=dict(type='BN', momentum=0.1, requires_grad=False),  # True trains scale and shift
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet101_v1c'),
    ),
    decode_head=dict(
        type='LargeFOVHead',
        in_channels=2048,
        in_index=0,
        channels=512,
        num_classes=21,
        norm_eval=False,
        train_bn_affine=False,
        # The mean is over labelled pixels: crops are padded with 255.
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
tta_model = dict(type='LogitTTAModel')
