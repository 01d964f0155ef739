"""Cross-entropy with class weights over the labelled pixels."""

from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class WeightedCrossEntropyLoss(nn.Module):
    """Cross-entropy of segmentation, averaged by class weight over the pixels that carry a label.

    The value is that of ``torch.nn.functional.cross_entropy(logits, labels, class_weight, ignore_index=...)``, and 0
    where no pixel is labelled. MMSegmentation's ``CrossEntropyLoss`` cannot be had with weights and ignored pixels at
    once: release 1.2.2 looks up the weight of the label 255 and fails, later ones fail with ``avg_non_ignore``.

    Args:
        class_weight: One weight >= 0 a class.
        loss_weight: Factor of the loss.
        loss_name: Name in the log; one that starts with ``loss`` enters the sum.

    Raises:
        ValueError: A weight is negative, or all are 0.
    """

    def __init__(
        self,
        class_weight: Sequence[float],
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ce',
    ) -> None:
        super().__init__()
        if min(class_weight) < 0 or max(class_weight) == 0:
            raise ValueError(
                f'class_weight must be >= 0 and not all 0, got {list(class_weight)}: one weight a class'
            )
        self.class_weight: Tensor
        self.register_buffer('class_weight', torch.tensor(class_weight).float(), persistent=False)
        self.loss_weight = loss_weight
        self.loss_name = loss_name

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
    ) -> Tensor:
        """The loss of logits (N, C, H, W) under labels (N, H, W); ``weight`` (N, H, W) multiplies each pixel's term."""
        terms = F.cross_entropy(
            logits, labels, self.class_weight, reduction='none', ignore_index=ignore_index
        )
        if weight is not None:
            terms = terms * weight
        labelled = labels != ignore_index
        total = (self.class_weight[labels.where(labelled, 0)] * labelled).sum()
        return self.loss_weight * terms.sum() / total.clamp(min=torch.finfo(total.dtype).tiny)
