# DeepLab-LargeFOV on ResNet101, retrained on the masks of PPC on EPS (Table 3 of the paper).
# Other masks: --cfg-options mask_dir=DIR
_base_ = [
    './_base_/models/deeplab-largefov_resnet101.py',
    './_base_/datasets/seg_voc.py',
    './_base_/schedules/deeplab_20k.py',
    './_base_/default_runtime.py',
]
mask_dir = 'work_dirs/ppc_eps_voc/masks'
train_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path=mask_dir)))
