# Pixel-to-prototype contrast on EPS (Du et al., CVPR 2022), with the paper's semantics: EPS and the contrast, no more.
_base_ = ['./eps_voc.py']
train_pipeline = [
    dict(type='LoadPicture'),
    dict(type='LoadSaliency', saliency_dir='data/VOCdevkit/VOC2012/Saliency'),
    dict(type='RandomResizeLong', low=448, high=768, saliency_interpolation='bicubic'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1),
    dict(type='RandomCropPad', crop_size=448),
    dict(type='PackTaggedInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(
    neck=dict(type='PixelProjector', in_channels=4096, out_channels=128),
    view=dict(type='RescaleView', size=(128, 128)),
    losses=dict(
        contrast=dict(
            type='PixelPrototypeContrastLoss',
            cam_source='softmax',  # as EPS reads its maps
            topk=16,
            temperature=0.1,
            bg_threshold=0.1,
            cross_weight=0.1,
            intra_weight=0.1,
        )
    ),
    test_cfg=dict(threshold=0.22),
)
# Its CRF takes a background that follows the scores.
mask_stage = dict(_delete_=True, alpha=8, crf='eps')
