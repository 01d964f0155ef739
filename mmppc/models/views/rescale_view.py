"""The picture at another size."""

import torch
from mmseg.registry import MODELS

from .base_view import BaseView
from .view_warp import ViewWarp


@MODELS.register_module()
class RescaleView(BaseView):
    """The whole picture at another size (Sec. 4.2).

    Args:
        size: Height and width of the view. The paper takes 128 x 128 of a 448 x 448 crop.
        scale: Height and width relative to the input instead; SEAM takes 0.3.

    Raises:
        ValueError: Not exactly one of ``size`` and ``scale`` is given, or ``scale`` is not positive.
    """

    def __init__(self, size: tuple[int, int] | None = None, scale: float | None = None) -> None:
        super().__init__()
        if (size is None) == (scale is None):
            raise ValueError(f'give either size or scale, got size={size} and scale={scale}')
        if scale is not None and not scale > 0:
            raise ValueError(f'scale must be more than 0, got {scale}')
        self.size = None if size is None else (int(size[0]), int(size[1]))
        self.scale = scale

    def draw(self, number: int, size: tuple[int, int], device: torch.device) -> ViewWarp:
        """The same for all pictures."""
        if self.size is not None:
            return ViewWarp(size, self.size)
        assert self.scale is not None
        return ViewWarp(
            size, (max(int(size[0] * self.scale), 1), max(int(size[1] * self.scale), 1))
        )
