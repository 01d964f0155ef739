"""SEAM's regularisers."""

from collections.abc import Sequence

import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.equivariance import seam_losses

from ..outputs import ViewOutput
from ..views import resize_maps


@MODELS.register_module()
class EquivarianceLoss(nn.Module):
    """Equivariance of maps (ER), of maps and refined maps (ECR), and minimum pooling (SEAM).

    Computed at the input resolutions, in the frame of the second view. Needs a ``view`` and a head with ``refine``.

    Args:
        er_weight: Factor of ER.
        ecr_weight: Factor of ECR.
        min_pool_weight: Factor of the minimum pooling.
    """

    def __init__(
        self, er_weight: float = 1.0, ecr_weight: float = 1.0, min_pool_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.weights = {
            'loss_er': er_weight,
            'loss_ecr': ecr_weight,
            'loss_min_pool': min_pool_weight,
        }

    def forward(self, views: Sequence[ViewOutput], tags: Tensor) -> dict[str, Tensor]:
        """``loss_er``, ``loss_ecr`` and ``loss_min_pool`` of two views with ``tags`` (N, C) multi-hot.

        Raises:
            ValueError: There are not two views, or the maps are not refined.
        """
        if len(views) != 2 or views[1].warp is None:
            raise ValueError(
                f"EquivarianceLoss compares two views, got {len(views)}: set the segmentor's `view`"
            )
        first, second = views
        if first.refined is None or second.refined is None:
            raise ValueError(
                "EquivarianceLoss needs refined maps, got none: set `refine` in the segmentor's `decode_head`"
            )
        target, warp = second.size, views[1].warp
        losses = seam_losses(
            (resize_maps(first.logits, first.size), resize_maps(second.logits, second.size)),
            (resize_maps(first.refined, first.size), resize_maps(second.refined, second.size)),
            tags,
            lambda maps: warp(maps, target),
        )
        return {name: self.weights[name] * loss for name, loss in losses.items()}
