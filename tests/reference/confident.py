"""Confident labels, pixel by pixel as the two methods state them."""

import numpy as np


def literal_confident(low, high, classes, ignore=255):
    """PSA: rows (1+K, h, w) of both exponents as nested lists -> labels (h, w)."""
    height, width = len(low[0]), len(low[0][0])
    labels = np.zeros((height, width), np.int64)
    for y in range(height):
        for x in range(width):
            first = [row[y][x] for row in low]
            second = [row[y][x] for row in high]
            label_low = classes[first.index(max(first))]
            label_high = classes[second.index(max(second))]
            label = label_low
            if label_low == 0:
                label = ignore
            if label_high == 0:
                label = 0
            if max(first + second) < 1e-5:
                label = ignore
            labels[y, x] = label
    return labels


def literal_irn(foreground, background, ignore=255):
    """IRN: two label maps (H, W) -> labels (H, W)."""
    labels = np.full(foreground.shape, ignore, np.int64)
    for place, label in np.ndenumerate(foreground):
        if label > 0:
            labels[place] = label
        elif background[place] == 0:
            labels[place] = 0
    return labels
