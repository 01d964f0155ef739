# COCO 2014 with pseudo masks in `mask_dir` for training and COCO's objects as masks of `val2014` for evaluation.
data_root = 'data/coco2014'
mask_dir = 'work_dirs/ppc_seam_coco/masks'
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadIndexMask'),
    dict(type='RandomHSVShift', hue=10, saturation=10, value=10),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomScale', low=0.5, high=1.5),
    dict(type='RandomCropPad', crop_size=448),
    dict(type='PackTaggedInputs'),
]
test_pipeline = [
    # LoadPicture under the name that MMSegInferencer looks for.
    dict(type='LoadImageFromFile', backend_args=dict(backend='picture')),
    dict(type='LoadIndexMask'),
    dict(type='PackTaggedInputs'),
]
tta_pipeline = [
    dict(type='LoadPicture'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale_factor=scale, interpolation='bicubic')
                for scale in (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
            ],
            [dict(type='RandomFlip', prob=0.0), dict(type='RandomFlip', prob=1.0)],
            [dict(type='LoadIndexMask')],
            [dict(type='PackTaggedInputs')],
        ],
    ),
]
train_dataloader = dict(
    batch_size=10,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    dataset=dict(
        type='TaggedImageDataset',
        data_prefix=dict(img_path=f'{data_root}/JPEGImages', seg_map_path=mask_dir),
        ann_file=f'{data_root}/ImageSets/Segmentation/train2014_tagged.txt',
        classes_file=f'{data_root}/classes.txt',
        require_masks=True,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='TaggedImageDataset',
        data_prefix=dict(
            img_path=f'{data_root}/JPEGImages', seg_map_path=f'{data_root}/SegmentationClass'
        ),
        ann_file=f'{data_root}/ImageSets/Segmentation/val2014.txt',
        classes_file=f'{data_root}/classes.txt',
        require_masks=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
# `--cfg-options test_evaluator.crf=deeplab` refines the predictions with the dense CRF.
val_evaluator = dict(type='MaskMetric', split='val', iou_metrics=['mIoU'])
test_evaluator = dict(type='MaskMetric', split='val', iou_metrics=['mIoU'], crf=None)
