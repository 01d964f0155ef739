# CAM network, its seeds, masks by the dense CRF, DeepLab on them. Configs and data are named by the
# file that inherits.
_base_ = ['./seeds.py']
stages = dict(
    masks=dict(
        do='masks',
        of='cam',
        title='masks by the CRF',
        seeds='{train_seeds.seeds}',
        threshold='{threshold}',
    ),
    segmentation=dict(do='train', title='train DeepLab', options=dict(mask_dir='{masks.masks}')),
    # Where there is no val, the network draws the training pictures.
    final=dict(
        do='test', of='segmentation', title='test DeepLab', split=('val', 'train'), predictions=True
    ),
)
