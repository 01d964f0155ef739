"""Loading of PSA's confident labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmppc.storage.confident_maps import load_confident_maps


def label_file(transform: Any, sample_id: str, suffix: str) -> Path:
    """The confident labels of a picture; ValueError where ``transform.label_dir`` is not known."""
    if transform.label_dir is None:
        raise ValueError(
            f'{type(transform).__name__}: label_dir=None, expected a folder, or ConfidentLabelHook among the hooks'
        )
    return transform.label_dir / f'{sample_id}{suffix}'


@TRANSFORMS.register_module()
class LoadConfidentMaps(BaseTransform):
    """Read ``<label_dir>/<sample_id>.npz``, probabilities of two CRFs that ``ConfidentLabelHook`` made.

    Adds ``gt_seg_map`` (H, W, 2 (1+K)) float32 in [0, 1], the cautious CRF's channels before the bold one's, which is
    flipped and cropped like a mask (fill what is outside with 0) until :class:`PoolConfidentMaps` makes labels of it,
    and ``map_classes`` (1+K,) int64.

    Args:
        label_dir: Folder of the files; None for the one that ``ConfidentLabelHook`` makes them in, and says so here.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it cannot be read, or is of another picture size or number of classes.
    """

    def __init__(self, label_dir: str | None = None) -> None:
        self.label_dir = None if label_dir is None else Path(label_dir)

    def transform(self, results: dict) -> dict:
        path = label_file(self, results['sample_id'], '.npz')
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
        return f'{type(self).__name__}(label_dir={str(self.label_dir or "")!r})'
