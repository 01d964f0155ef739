# CAM network, its seeds, masks by a random walk over learned affinities, DeepLab on them. Configs and data are
# named by the file that inherits.
_base_ = ['./seeds.py']
stages = dict(
    affinity=dict(
        do='train',
        title='train the affinities',
        options=dict(seed_dir='{train_seeds.seeds}'),
    ),
    masks=dict(do='test', of='affinity', title='masks by random walk', split='train', tta=False),
    segmentation=dict(do='train', title='train DeepLab', options=dict(mask_dir='{masks.masks}')),
    final=dict(
        do='test', of='segmentation', title='test DeepLab', split=('val', 'train'), predictions=True
    ),
)
