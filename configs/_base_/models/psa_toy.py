# AffinityNet on a narrow, shallow ResNet38 that learns from scratch: batch norm moves and nothing is frozen.
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    size=(112, 112),
)
model = dict(
    type='AffinitySegmentor',
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type='ResNet38',
        base_channels=8,
        depths=(1, 1, 1, 1),
        drop_ratios=(0.0, 0.0),
        out_indices=(1, 2, 3),
        frozen_stages=-1,
        norm_eval=False,
        train_bn_affine=True,
    ),
    decode_head=dict(
        type='AffinityHead',
        in_channels=(64, 128, 512),
        channels=(32, 32, 64),
        loss=dict(type='AffinityLoss', radius=5),
    ),
    test_cfg=dict(radius=5, beta=8.0, log_steps=6, background=dict(constant=0.2)),
)
