from mmppc.datasets import VOC_CLASSES, voc_palette


def test_classes_in_the_order_of_the_masks():
    assert len(VOC_CLASSES) == 21
    assert [VOC_CLASSES[k] for k in (0, 1, 15, 20)] == [
        'background',
        'aeroplane',
        'person',
        'tvmonitor',
    ]


def test_palette_is_the_development_kits():
    palette = voc_palette()
    assert palette[:5] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert palette[15] == [192, 128, 128]  # person
    assert palette[20] == [0, 64, 128]  # tvmonitor
    assert palette[255] == [224, 224, 192]  # the void border
    assert len({tuple(color) for color in voc_palette(1000)}) == 1000
