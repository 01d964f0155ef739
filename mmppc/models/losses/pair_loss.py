"""What losses on pairs of neighbouring cells share."""

import torch.nn as nn
from torch import Tensor

from mmppc.functional.affinity import neighbour_offsets


class PairLoss(nn.Module):
    """Loss on the pairs of a grid's cells that are nearer than ``radius`` cells.

    Args:
        radius: Reach of the pairs.
        border: ``full`` takes all pairs of the grid, ``published`` those whose first cell has all its neighbours.
        loss_weight: Factor of all terms.

    Raises:
        ValueError: ``radius`` is below 1, or ``border`` is unknown.
    """

    def __init__(self, radius: int, border: str = 'full', loss_weight: float = 1.0) -> None:
        super().__init__()
        if radius < 1:
            raise ValueError(f'radius must be at least 1, got {radius}')
        if border not in ('full', 'published'):
            raise ValueError(f"border must be 'full' or 'published', got {border!r}")
        self.radius = radius
        self.border = border
        self.loss_weight = loss_weight

    @property
    def offsets(self) -> Tensor:
        """Offsets (dy, dx) of the pairs, (O, 2) long; made anew, so that they stay on the CPU wherever the model is."""
        return neighbour_offsets(self.radius)
