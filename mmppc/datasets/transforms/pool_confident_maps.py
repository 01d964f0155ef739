"""From probabilities at the picture's resolution to labels on the affinity grid."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmppc.functional.confident import merge_confident


@TRANSFORMS.register_module()
class PoolConfidentMaps(BaseTransform):
    """Average the maps of :class:`LoadConfidentMaps` over each cell and keep what both CRFs are sure of (PSA).

    Changes ``gt_seg_map`` from (H, W, 2 (1+K)) to (H / stride, W / stride) uint8: a class, 0 the background, 255 where
    unsure.
    Removes ``map_classes``.

    Args:
        stride: Pixels of a cell's side.

    Raises:
        ValueError: If ``stride`` is below 1 or does not divide the sides, or the maps are missing.
    """

    def __init__(self, stride: int = 8) -> None:
        if stride < 1:
            raise ValueError(f'PoolConfidentMaps: stride={stride}, expected at least 1')
        self.stride = stride

    def transform(self, results: dict) -> dict:
        if 'map_classes' not in results:
            raise ValueError('PoolConfidentMaps: no maps, expected LoadConfidentMaps before')
        maps = torch.from_numpy(results['gt_seg_map']).permute(2, 0, 1)
        if maps.shape[1] % self.stride or maps.shape[2] % self.stride:
            raise ValueError(
                f'PoolConfidentMaps: stride {self.stride} does not divide the sides '
                f'{tuple(maps.shape[1:])}, expected a crop of a multiple'
            )
        low, high = F.avg_pool2d(maps[None], self.stride)[0].chunk(2)
        classes = torch.from_numpy(results.pop('map_classes'))
        labels = merge_confident(low, high, classes)
        results['gt_seg_map'] = labels.to(torch.uint8).numpy()
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(stride={self.stride})'
