"""Affinities of neighbours against a confident label map."""

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.affinity_loss import affinity_loss

from .pair_loss import PairLoss


@MODELS.register_module()
class AffinityLoss(PairLoss):
    """Cells of one label attract, cells of different labels repel (PSA, IRN).

    Pairs of the background and of the foreground weigh a quarter each, pairs of different labels a half.

    Args:
        radius: Pairs nearer than this many cells are compared; PSA 5, IRN 10. ``offsets`` (O, 2) lists them.
        border: ``full`` takes all pairs of the grid, ``published`` those whose first cell has all its neighbours.
        loss_weight: Factor of the three terms.

    Raises:
        ValueError: ``radius`` is below 1, or ``border`` is unknown.
    """

    def forward(self, affinity: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """``loss_bg``, ``loss_fg`` and ``loss_neg`` of affinities (N, O, h, w) in [0, 1] of ``offsets``.

        ``labels`` (N, h, w) are classes, 0 the background, 255 where unsure. The terms are computed in float32.
        """
        with torch.autocast(affinity.device.type, enabled=False):
            terms = affinity_loss(affinity.float(), labels, self.offsets, border=self.border)
        return {name: self.loss_weight * term for name, term in terms.items()}
