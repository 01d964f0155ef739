# CAM network, its seeds, masks by the dense CRF, DeepLab on them. Configs and data are named by the
# file that inherits.
threshold = dict(stages=('train_seeds', 'val_seeds'), default=0.26)
stages = dict(
    cam=dict(do='train', title='train the CAM network'),
    train_seeds=dict(do='test', of='cam', title='seeds of train', split='train'),
    val_seeds=dict(
        do='test',
        of='cam',
        title='seeds of val',
        split='val',
        needs_truth=True,
        options={'test_evaluator.0.threshold': '{threshold}'},
    ),
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
