# DeepLab-ASPP (v2) on ResNet101, retrained on the masks of PPC on EPS: the classic head, as EPS had it in Table 4.
# The paper's own row of Table 4 is that of the published code: deeplab-aspp_resnet101_voc_published.py
# Other masks: --cfg-options mask_dir=DIR
_base_ = [
    './_base_/models/deeplab-aspp_resnet101.py',
    './_base_/datasets/seg_voc.py',
    './_base_/schedules/deeplab_20k.py',
    './_base_/default_runtime.py',
]
mask_dir = 'work_dirs/ppc_eps_voc/masks'
train_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path=mask_dir)))
