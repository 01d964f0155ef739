"""IRN's displacements against a confident label map."""

import torch
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.affinity_loss import displacement_loss

from .pair_loss import PairLoss


@MODELS.register_module()
class DisplacementLoss(PairLoss):
    """Neighbours of one class point to one place, neighbours of the background the same way (IRN).

    Args:
        radius: Pairs nearer than this many cells are compared; IRN 10. ``offsets`` (O, 2) lists them.
        border: ``full`` takes all pairs of the grid, ``published`` those whose first cell has all its neighbours.
        loss_weight: Factor of the two terms.

    Raises:
        ValueError: ``radius`` is below 1, or ``border`` is unknown.
    """

    def forward(self, displacement: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """``loss_dp_fg`` and ``loss_dp_bg`` of displacements (N, 2, h, w), (dy, dx) in cells.

        ``labels`` (N, h, w) are classes, 0 the background, 255 where unsure. The terms are computed in float32.
        """
        with torch.autocast(displacement.device.type, enabled=False):
            terms = displacement_loss(
                displacement.float(), labels, self.offsets, border=self.border
            )
        return {name: self.loss_weight * term for name, term in terms.items()}
