"""PASCAL VOC: class names and the colour map of its index masks."""

from __future__ import annotations

VOC_CLASSES: tuple[str, ...] = (
    'background',
    'aeroplane',
    'bicycle',
    'bird',
    'boat',
    'bottle',
    'bus',
    'car',
    'cat',
    'chair',
    'cow',
    'diningtable',
    'dog',
    'horse',
    'motorbike',
    'person',
    'pottedplant',
    'sheep',
    'sofa',
    'train',
    'tvmonitor',
)
"""Background and the 20 classes in VOC's order: the index in a mask is the index here."""


def voc_palette(num_colors: int = 256) -> list[list[int]]:
    """The first colours of the VOC development kit's colour map.

    The bits of the index are dealt to red, green and blue in turn, the highest bit of each channel first.

    Args:
        num_colors: How many, at least 0. Distinct up to 2**24.

    Returns:
        ``num_colors`` lists [red, green, blue], each in 0..255.

    >>> voc_palette(3)
    [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    """
    palette = []
    for index in range(num_colors):
        color = [0, 0, 0]
        for bit in range(24):
            color[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
        palette.append(color)
    return palette
