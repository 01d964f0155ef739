"""Random scaling relative to the picture's own size."""

import cv2
import numpy as np
from mmcv.transforms.base import BaseTransform
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomScale(BaseTransform):
    """Scale the picture, and its mask, by a factor drawn uniformly (DeepLab stage; OpenCV's cubic, masks nearest).

    mmcv's ``RandomResize`` draws around a fixed size instead. Changes ``img``, ``gt_seg_map``, ``img_shape`` and
    ``scale_factor``.

    Args:
        low: Smallest factor.
        high: Largest factor.

    Raises:
        ValueError: Unless ``0 < low <= high``.
    """

    def __init__(self, low: float = 0.5, high: float = 1.5) -> None:
        if not 0 < low <= high:
            raise ValueError(f'RandomScale: expected 0 < low <= high, found {low}, {high}')
        self.low = low
        self.high = high

    def transform(self, results: dict) -> dict:
        factor = np.random.uniform(self.low, self.high)  # noqa: NPY002 (MMEngine seeds the global one)
        height, width = results['img'].shape[:2]
        size = (max(round(width * factor), 1), max(round(height * factor), 1))
        results['img'] = cv2.resize(results['img'], size, interpolation=cv2.INTER_CUBIC)
        if results.get('gt_seg_map') is not None:
            results['gt_seg_map'] = cv2.resize(
                results['gt_seg_map'], size, interpolation=cv2.INTER_NEAREST
            )
        results['img_shape'] = results['img'].shape[:2]
        results['scale_factor'] = (size[0] / width, size[1] / height)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(low={self.low}, high={self.high})'
