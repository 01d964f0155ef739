# DeepLab-ASPP as the published code has it, on the masks of PPC on EPS (Table 4 of the paper).
# Other masks: --cfg-options mask_dir=DIR
_base_ = [
    './_base_/models/deeplab-aspp_resnet101_published.py',
    './_base_/datasets/seg_voc.py',
    './_base_/schedules/deeplab_20k.py',
    './_base_/default_runtime.py',
]
mask_dir = 'work_dirs/ppc_eps_voc/masks'
train_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path=mask_dir)))
# The published stem is twice as wide (64, 64, 128) as that of mmseg's weights:
# tools/model_converters/published_to_mmppc.py resnet101s-03a0f310.pth pretrained/resnet101s.pth
model = dict(
    backbone=dict(
        stem_channels=128,
        init_cfg=dict(checkpoint='pretrained/resnet101s.pth', prefix='backbone.'),
    )
)
