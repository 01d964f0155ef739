"""Loading of a picture's saliency map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from mmppc.storage.pictures import read_picture


@TRANSFORMS.register_module()
class LoadSaliency(BaseTransform):
    """Read ``<saliency_dir>/<sample_id><suffix>``, the saliency map that a detector made of the picture (EPS).

    The file is a grey picture, white where something stands out; of a coloured one the channels are averaged.

    Adds ``saliency`` (H, W) float32 in [0, 1] and its name to ``seg_fields``, so that mmseg's flips and crops take it
    along; :class:`RandomResizeLong` and :class:`RandomCropPad` do so too.

    Args:
        saliency_dir: Folder of the maps.
        suffix: Ending of their file names.

    Raises:
        FileNotFoundError: If the map is missing.
        ValueError: If it cannot be read, or is of another size than the picture as it was loaded.
    """

    def __init__(self, saliency_dir: str, suffix: str = '.png') -> None:
        self.saliency_dir = Path(saliency_dir)
        self.suffix = suffix

    def transform(self, results: dict) -> dict:
        path = self.saliency_dir / f'{results["sample_id"]}{self.suffix}'
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: no such saliency map; set saliency_dir to the folder of a detector's maps, or make weaker "
                'ones: tools/dataset_converters/make_saliency.py PICTURES FOLDER'
            )
        saliency = read_picture(path).mean(axis=2, dtype=np.float32) / np.float32(255)
        size = tuple(results['ori_shape'][:2])
        if saliency.shape != size:
            height, width = saliency.shape
            raise ValueError(
                f'{path}: found {width}x{height} pixels, expected {size[1]}x{size[0]} as its picture '
                f'{results.get("img_path")}'
            )
        results['saliency'] = saliency
        results.setdefault('seg_fields', []).append('saliency')
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(saliency_dir={str(self.saliency_dir)!r}, '
            f'suffix={self.suffix!r})'
        )
