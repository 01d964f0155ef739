# The labels of PSA are made of the seeds in `seed_dir`; the same seeds walk in the test.
# `--cfg-options data_root=DIR seed_dir=DIR label_dir=DIR` moves every path below.
data_root = 'data/voc6'
seed_dir = 'work_dirs/ppc_seam_laptop/seeds'  # of tools/test.py on the CAM network
label_dir = 'work_dirs/psa_laptop/labels'
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadConfidentMaps', label_dir=label_dir),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    # At the original scale. The maps are 0 outside of the picture: no label.
    dict(type='RandomCropPad', crop_size=224, pad_value=(127.0, 127.0, 127.0), seg_pad_value=0),
    dict(type='PoolConfidentMaps', stride=8),
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
    ann_file='ImageSets/Segmentation/train.txt',
    classes_file='classes.txt',
)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(**dataset, pipeline=train_pipeline),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, pipeline=test_pipeline),
)
test_evaluator = dict(type='MaskMetric', split='train', iou_metrics=['mIoU'])
