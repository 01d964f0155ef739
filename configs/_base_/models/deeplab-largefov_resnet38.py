# DeepLab-LargeFOV on ResNet38 as the published retraining runs it: batch norm on batch statistics, its scale and shift
# never trained, nothing frozen.
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
        type='ResNet38',
        out_indices=(3,),
        frozen_stages=-1,
        norm_eval=False,
        train_bn_affine=False,
        norm_cfg=dict(type='BN', eps=1e-5, momentum=3e-4),
        init_cfg=dict(type='Pretrained', checkpoint='pretrained/resnet38.pth', prefix='backbone.'),
    ),
    decode_head=dict(
        type='LargeFOVHead',
        in_channels=4096,
        in_index=0,
        channels=512,
        num_classes=21,
        # The mean is over labelled pixels: crops are padded with 255.
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
tta_model = dict(type='LogitTTAModel')
