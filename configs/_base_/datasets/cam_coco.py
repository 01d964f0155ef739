# COCO 2014 with its image tags, laid out by `tools/dataset_converters/coco_to_voc_layout.py COCO data/coco2014`. Sizes
# and batch are those of EPS on COCO; it trains on the 82,081 pictures that show an object.
data_root = 'data/coco2014'
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='RandomResizeLong', low=256, high=448),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='RandomCropPad', crop_size=321),
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
            [dict(type='ResizeByScale', scale=scale) for scale in (0.5, 1.0, 1.5, 2.0)],
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
    tag_file='tags.csv',
    classes_file='classes.txt',
)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        **dataset,
        ann_file='ImageSets/Segmentation/train2014_tagged.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, ann_file='ImageSets/Segmentation/val2014.txt', pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset,
        ann_file='ImageSets/Segmentation/train2014_tagged.txt',
        pipeline=test_pipeline,
    ),
)
val_evaluator = [dict(type='SeedMetric', split='val'), dict(type='TagMetric')]
test_evaluator = [dict(type='SeedMetric', split='train'), dict(type='TagMetric')]
