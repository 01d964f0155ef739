"""Class prototypes from the most confident pixels of a batch (Sec. 3.3)."""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from .distributed import Ranks


def _top_pixels(features: Tensor, ranked: Tensor, topk: int) -> tuple[Tensor, Tensor]:
    """Scores (topk, K) and features (topk, K, D) of the best pixels of each class, -inf where there are fewer."""
    scores, index = ranked.sort(dim=0, descending=True, stable=True)
    scores, index = scores[:topk], index[:topk]
    missing = topk - len(scores)
    scores = F.pad(scores, (0, 0, 0, missing), value=float('-inf'))
    return scores, features[F.pad(index, (0, 0, 0, missing))]


@torch.no_grad()
def estimate_prototypes(
    features: Tensor,
    scores: Tensor,
    candidates: Tensor,
    topk: int,
    *,
    clamp: bool = True,
    group: 'dist.ProcessGroup | None' = None,
    sync: bool = True,
) -> tuple[Tensor, Tensor]:
    """Class prototypes: score-weighted mean of the ``topk`` most confident pixels, L2-normalised (Eq. 5).

    Several processes merge their best pixels, so each gets the prototypes of the joined batch.

    Args:
        features: Projected pixel features, (P, D). Not differentiated.
        scores: Confidence of each pixel for each class, (P, K).
        candidates: Pixels that may represent a class, (P, K) bool.
        topk: Pixels per class; a class with fewer candidates uses all it has. Ties go to the earlier pixel.
        clamp: Count negative scores as zero weight; if all weights are zero the mean is uniform.
        group: Processes that share the batch; None for all.
        sync: False keeps each process to its own pixels.

    Returns:
        Prototypes (K, D) and a bool (K,) that is False where a class has no candidate.
    """
    ranks = Ranks(group, sync)
    best, picked = _top_pixels(features, scores.masked_fill(~candidates, float('-inf')), topk)
    if ranks.size > 1:
        best, picked = ranks.join(best), ranks.join(picked)
        best, order = best.sort(dim=0, descending=True, stable=True)
        best = best[:topk]
        picked = picked.gather(0, order[:topk, :, None].expand(-1, -1, picked.shape[-1]))
    present = best > float('-inf')
    weights = torch.where(present, best.clamp(min=0) if clamp else best, torch.zeros_like(best))
    flat = weights.sum(dim=0, keepdim=True) == 0
    weights = torch.where(flat, present.to(weights), weights)
    # The division by the weights' sum matters for its sign only, since the prototype is normalised.
    total = weights.sum(dim=0)
    prototypes = torch.einsum('tk,tkd->kd', weights, picked) / torch.where(
        total == 0, torch.ones_like(total), total
    ).unsqueeze(1)
    return F.normalize(prototypes, dim=1), present.any(dim=0)
