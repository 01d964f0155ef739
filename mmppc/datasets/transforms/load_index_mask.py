"""Reading a mask of class indices."""

from __future__ import annotations

from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmppc.storage.masks import load_mask


@TRANSFORMS.register_module()
class LoadIndexMask(BaseTransform):
    """Read ``seg_map_path`` as class indices; a sample without one passes unchanged.

    The file is an 8-bit palette or grey PNG whose pixel values are the indices; the colours of a
    palette do not matter, and 255 means "no class". See :func:`~mmppc.storage.masks.load_mask`.

    Adds ``gt_seg_map`` (H, W) uint8 and its name to ``seg_fields``.

    Args:
        num_classes: 1+C, the background included. By default what the dataset says.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it cannot be read, has colours instead of indices, a value outside the
            classes, or another size than the picture as it was loaded.
    """

    def __init__(self, num_classes: int | None = None) -> None:
        self.num_classes = num_classes

    def transform(self, results: dict) -> dict:
        path = results.get('seg_map_path')
        if path is None:
            return results
        if results.get('label_map') or results.get('reduce_zero_label'):
            raise ValueError(f'{path}: label_map and reduce_zero_label are not applied here')
        mask = load_mask(path, self.num_classes or results.get('num_classes'))
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
