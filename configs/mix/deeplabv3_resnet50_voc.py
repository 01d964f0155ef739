# Stock DeepLabV3 on ResNet50, fully supervised: the masks of VOC and SBD. What the files beside it add to.
_base_ = [
    '../_base_/datasets/seg_voc.py',
    '../_base_/schedules/deeplab_20k.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/VOCdevkit/VOC2012'
mask_dir = f'{data_root}/SegmentationClassAug'
train_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path=mask_dir)))
norm_cfg = dict(type='BN')  # SyncBN on several GPUs
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(448, 448),
        pad_val=0,
        seg_pad_val=255,
    ),
    backbone=dict(
        type='ResNetV1c',
        depth=50,
        out_indices=(0, 1, 2, 3),
        dilations=(1, 1, 2, 4),
        strides=(1, 2, 1, 1),
        contract_dilation=True,
        norm_cfg=norm_cfg,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://resnet50_v1c'),
    ),
    decode_head=dict(
        type='ASPPHead',
        in_channels=2048,
        in_index=3,
        channels=512,
        dilations=(1, 12, 24, 36),
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=norm_cfg,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
tta_model = dict(type='LogitTTAModel')
