# AffinityNet of PSA on ResNet38, which is trained along; its random walk and labels with the values of PPC.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=(448, 448),
)
model = dict(
    type='AffinitySegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='ResNet38',
        out_indices=(1, 2, 3),
        init_cfg=dict(type='Pretrained', checkpoint='pretrained/resnet38.pth', prefix='backbone.'),
    ),
    decode_head=dict(
        type='AffinityHead',
        in_channels=(512, 1024, 4096),
        channels=(64, 128, 256),
        loss=dict(type='AffinityLoss', radius=5, border='full'),
    ),
    test_cfg=dict(radius=5, beta=8.0, log_steps=6, border='full', background=dict(constant=0.27)),
)
