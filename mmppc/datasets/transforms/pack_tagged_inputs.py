"""Packing of a sample for the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.structures import LabelData, PixelData
from mmseg.datasets.transforms import PackSegInputs
from mmseg.registry import TRANSFORMS

META_KEYS = (
    'sample_id',
    'img_path',
    'seg_map_path',
    'ori_shape',
    'img_shape',
    'pad_shape',
    'scale_factor',
    'flip',
    'flip_direction',
    'reduce_zero_label',
)


@TRANSFORMS.register_module()
class PackTaggedInputs(PackSegInputs):
    """mmseg's ``PackSegInputs`` with the tags, the saliency map and the seed.

    Besides ``inputs`` (3, H, W) and ``data_samples.gt_sem_seg``, the sample gets
    ``data_samples.gt_tags.label``, float32 (C,), if the dataset knows the tags, ``data_samples.gt_saliency`` (1, H, W)
    float32 in [0, 1], if :class:`LoadSaliency` loaded it, and ``data_samples.seed`` (K, H, W) float32 with
    ``data_samples.seed_classes.label`` (K,) int64 and ``.num_classes``, if :class:`LoadSeed` loaded them.

    Args:
        meta_keys: Entries kept as metainfo where the sample has them.

    Raises:
        ValueError: If the saliency map is no longer of the picture's size.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        super().__init__(meta_keys=tuple(meta_keys))

    def transform(self, results: dict) -> dict:
        packed = super().transform(results)
        if results.get('tags') is not None:
            label = torch.tensor(results['tags'], dtype=torch.float32)
            packed['data_samples'].gt_tags = LabelData(label=label)
        if results.get('saliency') is not None:
            saliency = np.ascontiguousarray(results['saliency'])
            if saliency.shape != results['img'].shape[:2]:
                raise ValueError(
                    f'{results.get("img_path")}: the saliency map is {saliency.shape}, the picture '
                    f'{results["img"].shape[:2]}; expected transforms that take it along, such as RandomResizeLong'
                )
            packed['data_samples'].gt_saliency = PixelData(data=torch.from_numpy(saliency)[None])
        if results.get('seed') is not None:
            sample = packed['data_samples']
            sample.seed = PixelData(data=torch.from_numpy(results['seed']))
            sample.seed_classes = LabelData(
                label=torch.from_numpy(results['seed_classes']),
                metainfo=dict(num_classes=results['num_classes']),
            )
        return packed
