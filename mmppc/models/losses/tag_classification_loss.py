"""Classification of the views by their tags."""

from collections.abc import Sequence

import torch
import torch.nn as nn
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.classification import tag_classification
from mmppc.functional.coverage import valid_cells

from ..outputs import ViewOutput


@MODELS.register_module()
class TagClassificationLoss(nn.Module):
    """Multi-label soft-margin loss on the average of the foreground maps (Eq. 2), mean of the views.

    A view that leaves a part of its frame empty is averaged over the rest.

    Args:
        pool: ``upsampled`` averages the map upsampled to the input, as SEAM and PPC do (border cells weigh less);
            ``mean`` averages its cells, as plain CAM and EPS do.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: ``pool`` is unknown.
    """

    def __init__(self, pool: str = 'upsampled', loss_weight: float = 1.0) -> None:
        super().__init__()
        if pool not in ('upsampled', 'mean'):
            raise ValueError(f"pool must be 'upsampled' or 'mean', got {pool!r}")
        self.pool = pool
        self.loss_weight = loss_weight

    def forward(self, views: Sequence[ViewOutput], tags: Tensor) -> dict[str, Tensor]:
        """Loss of the views' raw maps under ``tags`` (N, C) multi-hot: ``loss_tags``."""
        losses = [self._loss(view, tags) for view in views]
        return {'loss_tags': self.loss_weight * torch.stack(losses).mean()}

    def _loss(self, view: ViewOutput, tags: Tensor) -> Tensor:
        size = view.size if self.pool == 'upsampled' else None
        valid = view.valid
        if valid is not None:
            grid = view.logits.shape
            valid = valid_cells(valid, size or (grid[-2], grid[-1]))
        return tag_classification(view.logits, tags, size=size, valid=valid)
