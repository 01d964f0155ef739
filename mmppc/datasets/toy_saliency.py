"""Saliency maps of the toy set, with the faults of a detector's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from mmppc.datasets.toy_drawing import OCCLUDER
from mmppc.datasets.toy_scenes import smooth_noise

_FOUND = 0.9
_FOOLED = 0.3


def draw_saliency(things: np.ndarray, rng: Generator) -> np.ndarray:
    """What a detector of salient objects might say of a toy picture.

    It knows no classes. One object in ten is missed, an occluder is taken for an object three times in ten, outlines
    are soft and wander by some pixels, and the scene glows a little.

    Args:
        things: (H, W) uint8: 0 the scene, 1 .. K the objects, 255 what stands before them.
        rng: Source of the faults.

    Returns:
        (H, W) uint8, 255 where most salient.
    """
    height, width = canvas = things.shape
    blur = rng.uniform(0.008, 0.02) * max(height, width)
    salient = np.zeros(canvas, np.float32)
    for number in (*range(1, int(things[things != OCCLUDER].max(initial=0)) + 1), OCCLUDER):
        found = rng.random() < (_FOOLED if number == OCCLUDER else _FOUND)
        strength = rng.uniform(0.75, 1.0)
        if found:
            salient = np.maximum(salient, strength * (things == number))
    soft = cv2.GaussianBlur(salient, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
    # Noise moves the outline where the blur has made it soft, and a steep curve sharpens it again.
    wander = 0.5 * (smooth_noise((height, width), (24, 24), rng) - 0.5)
    sharp = 1 / (1 + np.exp(-9 * (soft + wander * 4 * soft * (1 - soft) - 0.45)))
    glow = 0.08 * smooth_noise((height, width), (5, 5), rng)
    return np.round(255 * np.maximum(sharp, glow).clip(0, 1)).astype(np.uint8)
