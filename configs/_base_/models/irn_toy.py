# IRN's boundary network on a narrow, shallow ResNet38 that learns along with it from scratch.
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
        out_indices=(0, 1, 2, 3),
        frozen_stages=-1,
        norm_eval=False,
        train_bn_affine=True,
    ),
    decode_head=dict(
        type='BoundaryHead',
        in_channels=(32, 64, 128, 512),
        strides=(4, 8, 8, 8),
        detach=False,
    ),
    test_cfg=dict(
        radius=5,
        beta=10.0,
        log_steps=6,
        background=None,
        threshold=0.25,
        seed_resize='bilinear',
        flip=True,
    ),
)
