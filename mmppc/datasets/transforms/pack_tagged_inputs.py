"""Packing of a sample for the model."""

from __future__ import annotations

from collections.abc import Sequence

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
    """mmseg's ``PackSegInputs`` with the tags and the seed.

    Besides ``inputs`` (3, H, W) and ``data_samples.gt_sem_seg``, the sample gets
    ``data_samples.gt_tags.label``, float32 (C,), if the dataset knows the tags, and ``data_samples.seed`` (K, H, W)
    float32 with ``data_samples.seed_classes.label`` (K,) int64 and ``.num_classes``, if :class:`LoadSeed` loaded them.

    Args:
        meta_keys: Entries kept as metainfo where the sample has them.
    """

    def __init__(self, meta_keys: Sequence[str] = META_KEYS) -> None:
        super().__init__(meta_keys=tuple(meta_keys))

    def transform(self, results: dict) -> dict:
        packed = super().transform(results)
        if results.get('tags') is not None:
            label = torch.tensor(results['tags'], dtype=torch.float32)
            packed['data_samples'].gt_tags = LabelData(label=label)
        if results.get('seed') is not None:
            sample = packed['data_samples']
            sample.seed = PixelData(data=torch.from_numpy(results['seed']))
            sample.seed_classes = LabelData(
                label=torch.from_numpy(results['seed_classes']),
                metainfo=dict(num_classes=results['num_classes']),
            )
        return packed
