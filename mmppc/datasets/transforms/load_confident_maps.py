"""Loading of PSA's confident labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmppc.storage.confident_maps import load_confident_maps


@TRANSFORMS.register_module()
class LoadConfidentMaps(BaseTransform):
    """Read ``<label_dir>/<sample_id>.npz``, probabilities of two CRFs that ``ConfidentLabelHook`` made.

    Adds ``gt_seg_map`` (H, W, 2 (1+K)) float32 in [0, 1], the cautious CRF's channels before the bold one's, which is
    flipped and cropped like a mask (fill what is outside with 0) until :class:`PoolConfidentMaps` makes labels of it,
    and ``map_classes`` (1+K,) int64.

    Args:
        label_dir: Folder of the files.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it cannot be read, or is of another picture size or number of classes.
    """

    def __init__(self, label_dir: str) -> None:
        self.label_dir = Path(label_dir)

    def transform(self, results: dict) -> dict:
        path = self.label_dir / f'{results["sample_id"]}.npz'
        maps = load_confident_maps(path)
        size = tuple(results['ori_shape'][:2])
        if maps.low.shape[1:] != size:
            height, width = maps.low.shape[1:]
            raise ValueError(
                f'{path}: found {width}x{height} pixels, expected {size[1]}x{size[0]} as its picture '
                f'{results.get("img_path")}'
            )
        expected = results.get('num_classes')
        if expected is not None and maps.num_classes != expected:
            raise ValueError(
                f'{path}: field num_classes: found {maps.num_classes}, expected {expected}'
            )
        both = np.concatenate([maps.low, maps.high]).transpose(1, 2, 0)
        results['gt_seg_map'] = np.ascontiguousarray(both)
        results['map_classes'] = maps.classes
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(label_dir={str(self.label_dir)!r})'
