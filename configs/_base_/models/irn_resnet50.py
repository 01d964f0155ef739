# IRN's boundary network on a frozen ResNet50 at strides 4, 4, 8, 16, 16.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=(512, 512),
)
model = dict(
    type='AffinitySegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='StemResNet',
        depth=50,
        strides=(1, 2, 2, 1),
        frozen_stages=4,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    decode_head=dict(
        type='BoundaryHead',
        in_channels=(64, 256, 512, 1024, 2048),
        strides=(4, 4, 8, 16, 16),
    ),
    test_cfg=dict(
        radius=5,
        beta=10.0,
        log_steps=8,
        background=None,
        threshold=0.25,
        seed_resize='bilinear',
        flip=True,
        pad_to=512,  # smaller pictures; larger ones are taken as they are
    ),
)
