"""Affinities of neighbours against a confident label map."""

import torch
import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.affinity import neighbour_offsets, pair_mask
from mmppc.functional.affinity_loss import affinity_loss


@MODELS.register_module()
class AffinityLoss(nn.Module):
    """Equal pairs attract, different ones repel (PSA, IRN): a quarter background, a quarter foreground, half different.

    Args:
        radius: Pairs nearer than this many cells are compared; PSA 5, IRN 10. :attr:`offsets` (O, 2) lists them.
        border: ``full`` takes all pairs of the grid, ``published`` those whose first cell has all its neighbours.
        loss_weight: Factor of the three terms.

    Raises:
        ValueError: ``radius`` is below 1, or ``border`` is unknown.
    """

    def __init__(self, radius: int, border: str = 'full', loss_weight: float = 1.0) -> None:
        super().__init__()
        self.offsets = neighbour_offsets(radius)
        pair_mask(self.offsets, 1, 1, border)  # refuses an unknown border
        self.border = border
        self.loss_weight = loss_weight

    def forward(self, affinity: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """``loss_bg``, ``loss_fg`` and ``loss_neg`` of affinities (N, O, h, w) in [0, 1] of :attr:`offsets`.

        ``labels`` (N, h, w) are classes, 0 the background, 255 where unsure. The terms are computed in float32.
        """
        with torch.autocast(affinity.device.type, enabled=False):
            terms = affinity_loss(affinity.float(), labels, self.offsets, border=self.border)
        return {name: self.loss_weight * term for name, term in terms.items()}
