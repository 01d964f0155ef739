"""The picture turned by a random angle."""

import math

import torch
from mmseg.registry import MODELS

from .base_view import BaseView
from .view_warp import ViewWarp


@MODELS.register_module()
class RotateView(BaseView):
    """Each picture turned about its centre by a random angle (Table 7). The size stays; corners leave the frame.

    Args:
        degrees: Lowest and highest angle, drawn uniformly; positive ones turn anticlockwise as seen on the screen. The
            paper takes (-20, 20).

    Raises:
        ValueError: ``degrees`` are not two increasing numbers.
    """

    def __init__(self, degrees: tuple[float, float] = (-20, 20)) -> None:
        super().__init__()
        if len(degrees) != 2 or not degrees[0] <= degrees[1]:
            raise ValueError(f'degrees must be a lowest and a highest angle, got {degrees}')
        self.degrees = (float(degrees[0]), float(degrees[1]))

    def draw(self, number: int, size: tuple[int, int], device: torch.device) -> ViewWarp:
        """One angle a picture."""
        low, high = self.degrees
        angles = torch.rand(number, device=device) * (high - low) + low
        # The frame is as wide as high when normalised, the picture need not be.
        width_to_height = max(size[1] - 1, 1) / max(size[0] - 1, 1)
        cosine, sine = (angles * (math.pi / 180)).cos(), (angles * (math.pi / 180)).sin()
        zero, one = torch.zeros_like(cosine), torch.ones_like(cosine)
        entries = [
            cosine, -sine / width_to_height, zero,
            sine * width_to_height, cosine, zero,
            zero, zero, one,
        ]  # fmt: skip
        return ViewWarp(size, size, matrix=torch.stack(entries, dim=-1).unflatten(-1, (3, 3)))
