# VOC 2012 with its image tags: training and seeds on train_aug (10,582 pictures), masks only for evaluation.
data_root = 'data/VOCdevkit/VOC2012'
classes = (
    'background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='RandomResizeLong', low=448, high=768),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='RandomCropPad', crop_size=448),
    dict(type='PackTaggedInputs'),
]
test_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadIndexMask'),
    dict(type='PackTaggedInputs'),
]
scales = (0.5, 1.0, 1.5, 2.0)
tta_pipeline = [
    dict(type='LoadPicture'),
    dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='ResizeByScale', scale=scale) for scale in scales],
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
    tag_file='Annotations',
    metainfo=dict(classes=classes),
)
train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        **dataset,
        ann_file='ImageSets/Segmentation/train_aug.txt',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, ann_file='ImageSets/Segmentation/val.txt', pipeline=test_pipeline),
)
# The official masks are those of `train`: the figures are of its 1,464 pictures, whatever else gets seeds.
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset, ann_file='ImageSets/Segmentation/train_aug.txt', pipeline=test_pipeline
    ),
)
val_evaluator = [dict(type='SeedMetric', split='val'), dict(type='TagMetric')]
test_evaluator = [dict(type='SeedMetric', split='train'), dict(type='TagMetric')]
