# PPC on SEAM on mmpretrain's VisionTransformer (DeiT-Small, patches of 16). It interpolates its position embeddings to
# the grid of each input, so views and test scales may have any size.
_base_ = ['../ppc_seam_voc.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.VisionTransformer',
        arch='deit-small',
        img_size=224,  # the size of the checkpoint's position embeddings
        patch_size=16,
        out_indices=(3, 7, 11),
        out_type='featmap',  # tokens as maps, without the class token
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://mmassets.onedl.ai/mmclassification/v0/deit/'
            'deit-small_pt-4xb256_in1k_20220218-9425b9bb.pth',
            prefix='backbone.',
        ),
    ),
    neck=dict(in_channels=384),
    # Pixel correlation sees the tokens after layers 4 and 8.
    decode_head=dict(in_channels=384, refine=dict(in_channels=(384, 384), in_indices=(0, 1))),
    # 14 x 14 tokens; K is an eighth of the grid, as in the published code.
    view=dict(size=(224, 224)),
    losses=dict(contrast=dict(topk=24)),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=5e-5, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_lr_mult=1),
)
