"""Reading a mask of class indices."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmppc.datasets.transforms.load_picture import DECODER_ERRORS


@TRANSFORMS.register_module()
class LoadIndexMask(BaseTransform):
    """Read ``seg_map_path`` as class indices; a sample without one passes unchanged.

    The file is an 8-bit palette or grey PNG whose pixel values are the indices (a 1-bit one holds 0 and 1);
    the colours of a palette do not matter.

    Adds ``gt_seg_map`` (H, W) uint8 and its name to ``seg_fields``.

    Args:
        num_classes: 1+C, the background included. By default what the dataset says.
        ignore_index: Value that stands for "no class", allowed beside 0..C.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it cannot be read, has colours instead of indices, a value outside the
            classes, or another size than the picture as it was loaded.
    """

    def __init__(self, num_classes: int | None = None, ignore_index: int = 255) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def transform(self, results: dict) -> dict | None:
        path = results.get('seg_map_path')
        if path is None:
            return results
        if results.get('label_map') or results.get('reduce_zero_label'):
            raise ValueError(f'{path}: label_map and reduce_zero_label are not applied here')
        mask = read_index_mask(path)
        num_classes = self.num_classes or results.get('num_classes')
        if num_classes is not None:
            self._check_values(mask, num_classes, path)
        # Not img_shape: the mask may be loaded after the picture has been resized for a test.
        shape = results.get('ori_shape')
        if shape is not None and tuple(shape[:2]) != mask.shape:
            raise ValueError(
                f'{path}: the mask is {mask.shape[1]}x{mask.shape[0]} pixels, expected '
                f'{shape[1]}x{shape[0]} as its picture {results.get("img_path")}'
            )
        results['gt_seg_map'] = mask
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def _check_values(self, mask: np.ndarray, num_classes: int, path: str) -> None:
        values = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
        wrong = [int(v) for v in values if v >= num_classes and v != self.ignore_index]
        if wrong:
            raise ValueError(
                f'{path}: values {wrong[:10]} are outside the classes, expected '
                f'0..{num_classes - 1} or {self.ignore_index} (ignored)'
            )


def read_index_mask(path: str) -> np.ndarray:
    """The indices in a mask file, (H, W) uint8; errors as for :class:`LoadIndexMask`."""
    try:
        with Image.open(path) as image:
            mode = image.mode
            mask = np.asarray(image)
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: no such mask') from None
    except DECODER_ERRORS as error:
        raise ValueError(
            f'{path}: not a mask that can be read, or truncated or damaged ({error})'
        ) from error
    if mode not in ('P', 'L', '1'):
        what = 'a colour mask' if mask.ndim == 3 else 'a mask'
        raise ValueError(
            f"{path}: {what} (mode {mode}) where class indices are expected: an 8-bit palette ('P') "
            "or grey ('L') PNG whose pixel values are the classes"
        )
    return mask.astype(np.uint8)
