# Affinity stages: the labels to train with are made of the seeds in `seed_dir`; they also walk in the test.
# `--cfg-options data_root=DIR seed_dir=DIR` moves every path below.
data_root = 'data/voc6'
seed_dir = 'work_dirs/ppc_seam_laptop/seeds'  # of tools/test.py on the CAM network
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
    ann_file='ImageSets/Segmentation/train.txt',
    classes_file='classes.txt',
)
train_dataloader = dict(
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dataset,
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, pipeline=test_pipeline),
)
test_evaluator = dict(type='MaskMetric', split='train', iou_metrics=['mIoU'])
