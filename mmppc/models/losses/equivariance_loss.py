"""SEAM's regularisers."""

from collections.abc import Sequence

import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.coverage import valid_cells
from mmppc.functional.equivariance import seam_losses

from ..outputs import ViewOutput
from ..views import resize_maps


@MODELS.register_module()
class EquivarianceLoss(nn.Module):
    """Equivariance of maps (ER), of maps and refined maps (ECR), and minimum pooling (SEAM).

    Compared in the second view's frame, where the first one covers it. Needs a ``view`` and a head with ``refine``.

    Args:
        er_weight: Factor of ER.
        ecr_weight: Factor of ECR.
        min_pool_weight: Factor of the minimum pooling.
        resolution: ``input`` upsamples the maps to the views' inputs, as SEAM does; ``feature`` takes them as they are,
            those of the first view at the size of the second's, as the published PPC on EPS does.

    Raises:
        ValueError: ``resolution`` is unknown.
    """

    def __init__(
        self,
        er_weight: float = 1.0,
        ecr_weight: float = 1.0,
        min_pool_weight: float = 1.0,
        resolution: str = 'input',
    ) -> None:
        super().__init__()
        if resolution not in ('input', 'feature'):
            raise ValueError(f"resolution must be 'input' or 'feature', got {resolution!r}")
        self.resolution = resolution
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
        cams, refined = (first.logits, second.logits), (first.refined, second.refined)
        if self.resolution == 'input':
            cams = resize_maps(cams[0], first.size), resize_maps(cams[1], second.size)
            refined = resize_maps(refined[0], first.size), resize_maps(refined[1], second.size)
        target, warp = (cams[1].shape[-2], cams[1].shape[-1]), views[1].warp
        valid = None if second.valid is None else valid_cells(second.valid, target)
        losses = seam_losses(cams, refined, tags, lambda maps: warp(maps, target), valid)
        return {name: self.weights[name] * loss for name, loss in losses.items()}
