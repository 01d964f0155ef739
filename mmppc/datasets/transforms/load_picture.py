"""Reading a picture file of any common kind."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmppc.storage.pictures import read_picture


@TRANSFORMS.register_module()
class LoadPicture(BaseTransform):
    """Read ``img_path`` as 8-bit BGR, upright; see :func:`~mmppc.storage.pictures.read_picture`.

    Adds ``img`` (H, W, 3) uint8 BGR, ``img_shape`` and ``ori_shape`` (H, W).

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not a picture, cut off or damaged, or holds floats or 32-bit numbers.
    """

    def transform(self, results: dict) -> dict:
        results['img'] = np.ascontiguousarray(read_picture(results['img_path'])[..., ::-1])
        results['img_shape'] = results['img'].shape[:2]
        results['ori_shape'] = results['img'].shape[:2]
        return results
