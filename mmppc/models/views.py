"""Second views of a batch: one spatial transform for pictures, features and maps (A(.) of Sec. 3.4)."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from .outputs import Warp


def resize_maps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resampling with aligned corners, as everywhere in training; nothing is done at equal size."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=size, mode='bilinear', align_corners=True)


@MODELS.register_module()
class RescaleView(BaseModule):
    """The whole picture at another size (Sec. 4.2).

    Args:
        size: Height and width of the view. The paper takes 128 x 128 of a 448 x 448 crop.
        scale: Height and width relative to the input instead; SEAM takes 0.3.

    Raises:
        ValueError: Not exactly one of ``size`` and ``scale`` is given.
    """

    def __init__(self, size: tuple[int, int] | None = None, scale: float | None = None) -> None:
        super().__init__()
        if (size is None) == (scale is None):
            raise ValueError(f'give either size or scale, got size={size} and scale={scale}')
        self.size = None if size is None else (int(size[0]), int(size[1]))
        self.scale = scale

    def forward(self, inputs: Tensor) -> tuple[Tensor, Warp]:
        """Make the view of normalised pictures (N, 3, H, W), and the transform of maps into its frame."""
        height, width = inputs.shape[-2:]
        if self.size is not None:
            size = self.size
        else:
            assert self.scale is not None
            size = (int(height * self.scale), int(width * self.scale))

        def warp(maps: Tensor, size_to: tuple[int, int] | None = None) -> Tensor:
            if size_to is None:
                size_to = (
                    max(round(maps.shape[-2] * size[0] / height), 1),
                    max(round(maps.shape[-1] * size[1] / width), 1),
                )
            return resize_maps(maps, size_to)

        return resize_maps(inputs, size), warp
