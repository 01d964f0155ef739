"""The picture moved in a random direction."""

import torch
from mmseg.registry import MODELS

from .base_view import BaseView
from .view_warp import ViewWarp


@MODELS.register_module()
class TranslateView(BaseView):
    """Each picture moved by a fixed distance to the left, right, top or bottom, at random (Table 7).

    The paper says "translation by 16 pixels", beside a "random rotation in [-20, 20] degrees": the distance is fixed
    here and the direction, of which it says nothing, is drawn.

    Args:
        pixels: Distance in pixels of the view's input.

    Raises:
        ValueError: ``pixels`` is negative.
    """

    def __init__(self, pixels: float = 16) -> None:
        super().__init__()
        if pixels < 0:
            raise ValueError(f'pixels must not be negative, got {pixels}')
        self.pixels = float(pixels)

    def draw(self, number: int, size: tuple[int, int], device: torch.device) -> ViewWarp:
        """One direction a picture."""
        direction = torch.randint(4, (number,), device=device)
        sign = (direction % 2 * 2 - 1).float() * (2 * self.pixels)
        along_x = (direction < 2).float()
        one, zero = torch.ones_like(sign), torch.zeros_like(sign)
        entries = [
            one, zero, sign * along_x / max(size[1] - 1, 1),
            zero, one, sign * (1 - along_x) / max(size[0] - 1, 1),
            zero, zero, one,
        ]  # fmt: skip
        return ViewWarp(size, size, matrix=torch.stack(entries, dim=-1).unflatten(-1, (3, 3)))
