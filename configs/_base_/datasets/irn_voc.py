# The labels of IRN are made of the seeds in `seed_dir`; the same seeds walk in the test.
# `--cfg-options data_root=DIR seed_dir=DIR label_dir=DIR` moves every path below.
data_root = 'data/VOCdevkit/VOC2012'
seed_dir = 'work_dirs/ppc_seam_voc/seeds'  # of tools/test.py on the CAM network
label_dir = 'work_dirs/irn_voc/labels'
classes = (
    'background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadConfidentLabels', label_dir=label_dir),
    dict(type='RandomScale', low=0.5, high=1.5),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCropPad', crop_size=512),
    dict(type='ShrinkMask', stride=4),
    dict(type='PackTaggedInputs'),
]
test_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadSeed', seed_dir=seed_dir),
    dict(type='LoadIndexMask'),
    dict(type='PackTaggedInputs'),
]
dataset = dict(
    type='TaggedImageDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    ann_file='ImageSets/Segmentation/train_aug.txt',
    metainfo=dict(classes=classes),
)
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(**dataset, pipeline=train_pipeline),
)
# The official masks are those of `train`: the figures are of its 1,464 pictures, whatever else gets masks.
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, pipeline=test_pipeline),
)
test_evaluator = dict(type='MaskMetric', split='train', iou_metrics=['mIoU'])
