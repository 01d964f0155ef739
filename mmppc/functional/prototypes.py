"""Class prototypes from the most confident pixels of a batch (Sec. 3.3)."""

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from .distributed import Ranks


@torch.no_grad()
def estimate_prototypes(
    features: Tensor,
    scores: Tensor,
    candidates: Tensor,
    topk: int,
    *,
    clamp: bool = True,
    ties: str = 'first',
    group: 'dist.ProcessGroup | None' = None,
    sync: bool = True,
) -> tuple[Tensor, Tensor]:
    """Class prototypes: score-weighted mean of the ``topk`` most confident pixels, L2-normalised (Eq. 5).

    Several processes merge their best pixels, so each gets the prototypes of the joined batch.

    Args:
        features: Projected pixel features, (P, D). Not differentiated.
        scores: Confidence of each pixel for each class, (P, K).
        candidates: Pixels that may represent a class, (P, K) bool.
        topk: Pixels per class; a class with fewer candidates uses all it has.
        ties: Which of equal scores are taken, whatever the number of processes: see :func:`top_pixels`.
        clamp: Count negative scores as zero weight; if all weights are zero the mean is uniform.
        group: Processes that share the batch; None for all.
        sync: False keeps each process to its own pixels.

    Returns:
        Prototypes (K, D) and a bool (K,) that is False where a class has no candidate.
    """
    ranks = Ranks(group, sync)
    ranked = ranks.join(scores.masked_fill(~candidates, float('-inf')))
    # Each rank picks from all scores and adds its own pixels.
    best, index = top_pixels(ranked, topk, ties)
    index = index - ranks.index * len(features)
    own = (index >= 0) & (index < len(features))
    picked = features[index.clamp(0, len(features) - 1)]
    present = best > float('-inf')
    weights = torch.where(present, best.clamp(min=0) if clamp else best, torch.zeros_like(best))
    flat = weights.sum(dim=0, keepdim=True) == 0
    weights = torch.where(flat, present.to(weights), weights)
    # The division by the weights' sum matters for its sign only, since the prototype is normalised.
    total = weights.sum(dim=0)
    summed = ranks.total(torch.einsum('tk,tkd->kd', weights * own, picked))
    prototypes = summed / torch.where(total == 0, torch.ones_like(total), total).unsqueeze(1)
    return F.normalize(prototypes, dim=1), present.any(dim=0)


def top_pixels(scores: Tensor, topk: int, ties: str = 'first') -> tuple[Tensor, Tensor]:
    """The most confident pixels of each class.

    Args:
        scores: (P, K), -inf for pixels that may not represent a class.
        topk: Pixels a class.
        ties: Which of equal scores are taken: ``first``, those that ``torch.topk`` takes, on a CPU the first of the
            first picture; or ``spread``, pixels that are scattered over the batch, the same on every device.

    Returns:
        Scores (T, K), descending, and places (T, K), with T = min(``topk``, P).
    """
    number = min(topk, len(scores))
    if ties == 'first':
        # Not a stable sort: the published background prototype rests on equal scores alone, and the reference values
        # on the order in which topk takes them.
        return scores.topk(number, dim=0)
    # Multiples of an odd number near 2^32 over the golden ratio, modulo 2^32: all different, neighbours far apart.
    keys = torch.arange(len(scores), device=scores.device) * 2654435761 % 2**32
    order = keys.argsort()
    best, index = scores[order].sort(dim=0, descending=True, stable=True)
    return best[:number], order[index[:number]]
