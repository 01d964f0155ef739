# Affinity stages: the labels to train with are made of the seeds in `seed_dir`; they also walk in the test.
# `--cfg-options data_root=DIR seed_dir=DIR` moves every path below.
data_root = 'data/VOCdevkit/VOC2012'
seed_dir = 'work_dirs/ppc_seam_voc/seeds'  # of tools/test.py on the CAM network
classes = (
    'background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
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
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dataset,
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
