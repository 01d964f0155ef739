# The same on the masks of EPS (Table 4).
_base_ = ['./deeplab-aspp_resnet101_voc.py']
mask_dir = 'work_dirs/eps_voc/masks'
train_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path=mask_dir)))
