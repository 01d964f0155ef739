"""From labels at the picture's resolution to labels on the affinity grid."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image


@TRANSFORMS.register_module()
class ShrinkMask(BaseTransform):
    """Take the label at the middle of each cell (IRN).

    Changes ``gt_seg_map`` from (H, W) to (H / stride, W / stride) by PIL's nearest neighbour.

    Args:
        stride: Pixels of a cell's side.

    Raises:
        ValueError: If ``stride`` is below 1 or does not divide the sides.
    """

    def __init__(self, stride: int = 4) -> None:
        if stride < 1:
            raise ValueError(f'ShrinkMask: stride={stride}, expected at least 1')
        self.stride = stride

    def transform(self, results: dict) -> dict:
        height, width = results['gt_seg_map'].shape
        if height % self.stride or width % self.stride:
            raise ValueError(
                f'ShrinkMask: stride {self.stride} does not divide the sides {(height, width)}, expected a '
                'crop of a multiple'
            )
        size = (width // self.stride, height // self.stride)
        mask = Image.fromarray(results['gt_seg_map']).resize(size, Image.Resampling.NEAREST)
        results['gt_seg_map'] = np.array(mask)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(stride={self.stride})'
