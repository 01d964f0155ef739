"""Colour jitter of the CAM stage."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image
from torchvision.transforms import ColorJitter


@TRANSFORMS.register_module()
class PILColorJitter(BaseTransform):
    """torchvision's ``ColorJitter`` on the 8-bit picture, in its random order.

    Random numbers come from torch's global generator. Changes ``img`` (H, W, 3) uint8 BGR.

    Args:
        brightness: Factor uniform in 1 +- this, at least 0.
        contrast: Likewise.
        saturation: Likewise.
        hue: Shift uniform in +- this fraction of the colour circle, at most 0.5.
    """

    def __init__(
        self,
        brightness: float = 0.3,
        contrast: float = 0.3,
        saturation: float = 0.3,
        hue: float = 0.1,
    ) -> None:
        self.jitter = ColorJitter(brightness, contrast, saturation, hue)

    def transform(self, results: dict) -> dict:
        picture = Image.fromarray(np.ascontiguousarray(results['img'][..., ::-1]))
        results['img'] = np.ascontiguousarray(np.asarray(self.jitter(picture))[..., ::-1])
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.jitter})'
