"""Pixel-adaptive refinement pixel by pixel, from its formula."""

import math

import numpy as np


def literal_pamr(
    image,
    scores,
    iterations=10,
    dilations=(1, 2, 4, 8, 12, 24),
    colour_scale=0.3,
    position_scale=0.3,
    position_weight=0.01,
):
    """Colours (3, H, W) and scores (K, H, W), float64 -> refined scores (K, H, W)."""
    _, height, width = image.shape
    around = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    shifts = [(dy * step, dx * step) for step in dilations for dy, dx in around]
    distances = np.array([math.hypot(dy, dx) for dy, dx in shifts])
    position = softmax(-((distances / (position_scale * distances.std(ddof=1))) ** 2))
    for _ in range(iterations):
        refined = np.zeros_like(scores)
        for y in range(height):
            for x in range(width):
                places = [
                    (min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1))
                    for dy, dx in shifts
                ]
                colours = np.array([image[:, row, column] for row, column in places])
                spread = colours.std(axis=0, ddof=1) + 1e-8
                terms = -((np.abs(colours - image[:, y, x]) / (colour_scale * spread)) ** 2)
                kernel = softmax(terms.mean(axis=1)) + position_weight * position
                kernel /= 1 + position_weight
                for weight, (row, column) in zip(kernel, places):
                    refined[:, y, x] += weight * scores[:, row, column]
        scores = refined
    return scores


def softmax(values):
    powers = np.exp(values - values.max())
    return powers / powers.sum()
