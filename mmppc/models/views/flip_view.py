"""The picture in a mirror."""

import torch
from mmseg.registry import MODELS

from .base_view import BaseView
from .view_warp import ViewWarp


@MODELS.register_module()
class FlipView(BaseView):
    """Left and right change places, in every picture (Table 7)."""

    def draw(self, number: int, size: tuple[int, int], device: torch.device) -> ViewWarp:
        """The same for all pictures."""
        return ViewWarp(size, size, mirror=True)
