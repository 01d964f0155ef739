# The same on the masks of SEAM (Table 3), made by psa_voc_seam.py.
_base_ = ['./deeplab-largefov_resnet38_voc.py']
mask_dir = 'work_dirs/psa_voc_seam/masks'
train_dataloader = dict(dataset=dict(data_prefix=dict(seg_map_path=mask_dir)))
