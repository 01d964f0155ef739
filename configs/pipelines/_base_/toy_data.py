# The toy set, drawn into the work folder.
data = dict(
    root='{work_dir}/toy',
    toy=dict(num_train=300, num_val=100, seed=0),
    pictures='JPEGImages',
    masks='SegmentationClass',
    tags='tags.csv',
    classes='classes.txt',
    lists=dict(train='ImageSets/Segmentation/train.txt', val='ImageSets/Segmentation/val.txt'),
)
