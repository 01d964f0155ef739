# The toy set, which `tools/dataset_converters/draw_toy_set.py data/toy` draws.
# `--cfg-options data_root=DIR tag_file=Annotations` moves every dataset below to another folder and other tags.
data_root = 'data/toy'
tag_file = 'tags.csv'  # or a folder of VOC XML files, or a JSON
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='RandomResizeLong', low=112, high=160),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='RandomCropPad', crop_size=112),
    dict(type='PackTaggedInputs'),
]
test_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadIndexMask'),
    dict(type='PackTaggedInputs'),
]
tta_pipeline = [
    dict(type='LoadPicture'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='ResizeByScale', scale=scale) for scale in (1.0, 1.5)],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [dict(type='LoadIndexMask')],
            [dict(type='PackTaggedInputs')],
        ],
    ),
]
dataset = dict(
    type='TaggedImageDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    tag_file=tag_file,
    classes_file='classes.txt',
)
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(**dataset, ann_file='ImageSets/Segmentation/train.txt', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, ann_file='ImageSets/Segmentation/val.txt', pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, ann_file='ImageSets/Segmentation/train.txt', pipeline=test_pipeline),
)
val_evaluator = [dict(type='SeedMetric', split='val'), dict(type='TagMetric')]
test_evaluator = [dict(type='SeedMetric', split='train'), dict(type='TagMetric')]
