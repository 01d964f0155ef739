# PPC on SEAM on mmpretrain's ConvNeXt-Tiny at stride 32. Smaller: model.backbone.arch=atto, of 320 channels.
_base_ = ['../ppc_seam_voc.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.ConvNeXt',
        arch='tiny',
        out_indices=(0, 1, 2, 3),
        gap_before_final_norm=False,  # by default it returns vectors
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/convnext/'
            'convnext-tiny_32xb128_in1k_20221207-998cf3e9.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(in_channels=768),
    decode_head=dict(in_channels=768, refine=dict(in_channels=(192, 384), in_indices=(1, 2))),
    # 7 x 7 cells at stride 32; K is an eighth of the grid, rounded up.
    view=dict(size=(224, 224)),
    losses=dict(contrast=dict(topk=7)),
)
# Layer norm and SGD do not go together.
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=5e-5, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_lr_mult=1),
)
