# A folder in VOC's layout, or one of pictures with tags.csv: what is missing is made from that.
data = dict(
    make_missing=True,
    root='data/voc6',
    pictures='JPEGImages',
    masks='SegmentationClass',
    tags='tags.csv',
    classes='classes.txt',
    lists=dict(train='ImageSets/Segmentation/train.txt', val='ImageSets/Segmentation/val.txt'),
)
