# EPS: tags say what is there, saliency maps where it is. One view, no dropout, tags by the plain mean of the maps.
# The background is channel 0 here as everywhere, in EPS's own code the last one. For COCO, EPS takes mix=0.9.
_base_ = [
    './_base_/models/cam_resnet38.py',
    './_base_/datasets/cam_voc.py',
    './_base_/schedules/cam.py',
    './_base_/default_runtime.py',
]
# `<picture>.png` of a detector (EPS: PFAN), or weaker ones of tools/dataset_converters/make_saliency.py
saliency_dir = 'data/VOCdevkit/VOC2012/Saliency'
max_iters = 20000
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadSaliency', saliency_dir=saliency_dir),
    dict(type='RandomResizeLong', low=256, high=512, saliency_interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='RandomCropPad', crop_size=448),
    dict(type='PackTaggedInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(
    decode_head=dict(dropout_ratio=0.0),
    losses=dict(saliency=dict(type='SaliencyLoss', threshold=0.4, mix=0.5)),
    test_cfg=dict(
        maps='logits', activation='softmax', upsample='direct', normalize='max', threshold=0.2
    ),
)
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_iters + 1, by_epoch=False)
]
train_cfg = dict(max_iters=max_iters, val_interval=4000)
mask_stage = dict(threshold=0.2, crf='none')
