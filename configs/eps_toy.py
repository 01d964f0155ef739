# EPS on the toy set, whose saliency maps are drawn with it.
_base_ = ['./cam_toy.py']
saliency_dir = 'data/toy/Saliency'
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadSaliency', saliency_dir=saliency_dir),
    dict(type='RandomResizeLong', low=112, high=160),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='RandomCropPad', crop_size=112),
    dict(type='PackTaggedInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(
    decode_head=dict(dropout_ratio=0.0),
    losses=dict(tags=dict(pool='mean'), saliency=dict(type='SaliencyLoss', threshold=0.4, mix=0.5)),
    test_cfg=dict(
        maps='logits', activation='softmax', upsample='direct', normalize='max', threshold=0.2
    ),
)
mask_stage = dict(crf='none')
