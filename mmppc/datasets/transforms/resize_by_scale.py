"""Scaling of the CAM stage's seed inference."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image


@TRANSFORMS.register_module()
class ResizeByScale(BaseTransform):
    """Scale the picture to ``(round(W scale), round(H scale))`` by PIL's bicubic filter, as SEAM and PPC do.

    Halves are rounded to even, where mmcv's ``Resize`` rounds them up. The mask is left alone: in a test it is
    loaded afterwards, at the original size.

    Changes ``img`` (uint8) and ``img_shape``; adds ``scale_factor`` (w, h).

    Args:
        scale: Factor, positive.

    Raises:
        ValueError: Unless ``scale`` is positive.
    """

    def __init__(self, scale: float) -> None:
        if not scale > 0:
            raise ValueError(f'ResizeByScale: scale={scale}, expected a positive factor')
        self.scale = scale

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        size = (max(round(width * self.scale), 1), max(round(height * self.scale), 1))
        results['img'] = np.array(
            Image.fromarray(results['img']).resize(size, Image.Resampling.BICUBIC)
        )
        results['img_shape'] = results['img'].shape[:2]
        results['scale_factor'] = (size[0] / width, size[1] / height)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scale={self.scale})'
