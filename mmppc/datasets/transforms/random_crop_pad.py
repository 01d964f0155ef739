"""Crop of a fixed size out of, or around, a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

IMAGENET_MEAN_BGR = (103.53, 116.28, 123.675)


@TRANSFORMS.register_module()
class RandomCropPad(BaseTransform):
    """Put the picture at random into a canvas of the crop's size, as SEAM and PPC do.

    Along each axis by itself: a side longer than the crop is cut at a uniformly random offset, a
    shorter one is placed at a uniformly random offset, and the rest is filled. The fill is the
    mean colour, so that it is exactly 0 once the data preprocessor has normalised the batch.

    Changes ``img`` to (h, w, 3) float32, ``gt_seg_map`` to (h, w) or (h, w, K), ``saliency`` to (h, w), 0 outside of
    the picture, and ``img_shape``.

    Args:
        crop_size: Side in pixels, or (h, w).
        pad_value: Fill per channel, in the order of the array's channels (BGR) and before normalisation.
        seg_pad_value: Fill of the mask.

    Raises:
        ValueError: Unless the sides are at least 1.
    """

    def __init__(
        self,
        crop_size: int | Sequence[int] = 448,
        pad_value: Sequence[float] = IMAGENET_MEAN_BGR,
        seg_pad_value: int = 255,
    ) -> None:
        sides = (crop_size, crop_size) if isinstance(crop_size, int) else tuple(crop_size)
        if len(sides) != 2 or min(sides) < 1:
            raise ValueError(f'RandomCropPad: expected a side or (h, w) >= 1, found {crop_size}')
        self.crop_size = sides
        self.pad_value = tuple(pad_value)
        self.seg_pad_value = seg_pad_value

    def transform(self, results: dict) -> dict:
        image = results['img']
        rows, rows_from = _random_overlap(image.shape[0], self.crop_size[0])
        columns, columns_from = _random_overlap(image.shape[1], self.crop_size[1])
        # float32 as the preprocessor's mean: the difference is exactly 0.
        canvas = np.empty((*self.crop_size, image.shape[2]), dtype=np.float32)
        canvas[...] = np.asarray(self.pad_value, dtype=np.float32)
        canvas[rows, columns] = image[rows_from, columns_from]
        results['img'] = canvas
        results['img_shape'] = self.crop_size
        if results.get('gt_seg_map') is not None:
            given = results['gt_seg_map']
            mask = np.full(
                (*self.crop_size, *given.shape[2:]), self.seg_pad_value, dtype=given.dtype
            )
            mask[rows, columns] = given[rows_from, columns_from]
            results['gt_seg_map'] = mask
        if results.get('saliency') is not None:
            saliency = np.zeros(self.crop_size, dtype=np.float32)
            saliency[rows, columns] = results['saliency'][rows_from, columns_from]
            results['saliency'] = saliency
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(crop_size={self.crop_size}, pad_value={self.pad_value}, '
            f'seg_pad_value={self.seg_pad_value})'
        )


def _random_overlap(side: int, crop: int) -> tuple[slice, slice]:
    """Where one axis of the canvas is written, and from where in the picture."""
    offset = int(np.random.randint(abs(side - crop) + 1))  # noqa: NPY002 (mmengine seeds it)
    if side > crop:
        return slice(0, crop), slice(offset, offset + crop)
    return slice(offset, offset + side), slice(0, side)
