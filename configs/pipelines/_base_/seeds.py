# CAM network and its seeds. Config and data are named by the file that inherits.
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
)
