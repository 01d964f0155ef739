"""Random size of the CAM stage."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image

SALIENCY_FILTERS = {'bicubic': Image.Resampling.BICUBIC, 'nearest': Image.Resampling.NEAREST}


@TRANSFORMS.register_module()
class RandomResizeLong(BaseTransform):
    """Resize so that the longer side is a random integer, as SEAM and PPC do.

    The longer side is uniform in [low, high], both included; the other one is
    ``int(round(side * longer / old longer))``, at least 1. Pictures by PIL's bicubic filter, which is anti-aliased
    when shrinking (cv2's is not), ``gt_seg_map`` by the nearest pixel, ``saliency`` by either.

    Changes ``img`` (uint8), ``gt_seg_map``, ``saliency``, ``img_shape``; adds ``scale`` (W, H), ``scale_factor``
    (w, h), ``keep_ratio``.

    Args:
        low: Shortest long side in pixels.
        high: Longest long side in pixels.
        saliency_interpolation: ``bicubic``, as EPS takes, whose overshoots are cut to [0, 1]; or ``nearest``.

    Raises:
        ValueError: Unless 1 <= low <= high, or if the interpolation is unknown.
    """

    def __init__(
        self, low: int = 448, high: int = 768, saliency_interpolation: str = 'bicubic'
    ) -> None:
        if not 1 <= low <= high:
            raise ValueError(f'RandomResizeLong: expected 1 <= low <= high, found {low}, {high}')
        if saliency_interpolation not in SALIENCY_FILTERS:
            raise ValueError(
                f'RandomResizeLong: saliency_interpolation={saliency_interpolation!r}, expected one of '
                f'{sorted(SALIENCY_FILTERS)}'
            )
        self.low = low
        self.high = high
        self.saliency_interpolation = saliency_interpolation

    def transform(self, results: dict) -> dict:
        height, width = results['img'].shape[:2]
        long_side = int(np.random.randint(self.low, self.high + 1))  # noqa: NPY002 (mmengine seeds it)
        if width < height:
            new_width, new_height = round(width * long_side / height), long_side
        else:
            new_width, new_height = long_side, round(height * long_side / width)
        size = (max(new_width, 1), max(new_height, 1))
        results['img'] = np.asarray(
            Image.fromarray(results['img']).resize(size, Image.Resampling.BICUBIC)
        )
        if results.get('gt_seg_map') is not None:
            mask = Image.fromarray(results['gt_seg_map'])
            results['gt_seg_map'] = np.asarray(mask.resize(size, Image.Resampling.NEAREST))
        if results.get('saliency') is not None:
            saliency = Image.fromarray(results['saliency'])
            resized = saliency.resize(size, SALIENCY_FILTERS[self.saliency_interpolation])
            results['saliency'] = np.asarray(resized).clip(0, 1)
        results['img_shape'] = results['img'].shape[:2]
        results['scale'] = size
        results['scale_factor'] = (size[0] / width, size[1] / height)
        results['keep_ratio'] = True
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(low={self.low}, high={self.high}, '
            f'saliency_interpolation={self.saliency_interpolation!r})'
        )
