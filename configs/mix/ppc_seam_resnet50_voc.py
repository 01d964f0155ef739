# PPC on SEAM on mmpretrain's ResNet50 at stride 16.
_base_ = ['../ppc_seam_voc.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ResNet',
        depth=50,
        out_indices=(0, 1, 2, 3),
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=dict(in_channels=2048),
    # Pixel correlation sees stages 2 and 3, of 512 and 1024 channels as in ResNet38.
    decode_head=dict(in_channels=2048, refine=dict(in_channels=(512, 1024), in_indices=(1, 2))),
    # 14 x 14 cells at stride 16; K is an eighth of the grid, as in the published code.
    view=dict(size=(224, 224)),
    losses=dict(contrast=dict(topk=24)),
)
