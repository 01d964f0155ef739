"""Colour shift of the retraining stage."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomHSVShift(BaseTransform):
    """Add a random integer to each of hue, saturation and value, in cv2's 8-bit HSV.

    The hue (0..179, two degrees a step) goes round; saturation and value are clipped to 0..255.
    Changes ``img`` (H, W, 3) uint8 BGR.

    Args:
        hue: Shift uniform in the integers [-hue, hue].
        saturation: Likewise.
        value: Likewise.

    Raises:
        ValueError: If a range is negative.
    """

    def __init__(self, hue: int = 10, saturation: int = 10, value: int = 10) -> None:
        self.ranges = np.array([hue, saturation, value])
        if (self.ranges < 0).any():
            raise ValueError(f'RandomHSVShift: expected ranges >= 0, found {self.ranges.tolist()}')

    def transform(self, results: dict) -> dict:
        shift = np.random.randint(-self.ranges, self.ranges + 1)  # noqa: NPY002 (mmengine seeds it)
        hsv = cv2.cvtColor(results['img'], cv2.COLOR_BGR2HSV).astype(np.int16) + shift
        hsv[..., 0] %= 180
        hsv = hsv.clip(0, 255).astype(np.uint8)
        results['img'] = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(ranges={self.ranges.tolist()})'
