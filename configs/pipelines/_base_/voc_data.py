# VOC 2012 with the pictures of train_aug. Its masks are those of `train` and `val`; the classes are in the configs.
data = dict(
    root='data/VOCdevkit/VOC2012',
    pictures='JPEGImages',
    masks='SegmentationClass',
    tags='Annotations',
    lists=dict(train='ImageSets/Segmentation/train_aug.txt', val='ImageSets/Segmentation/val.txt'),
)
