"""Which prototypes and which pixels enter the intra-view contrast (Sec. 3.5)."""

import torch
from torch import Tensor


def rank_within(keys: Tensor, groups: Tensor, num_groups: int) -> tuple[Tensor, Tensor]:
    """Ascending rank of each element among those of its group, ties in order of position.

    Args:
        keys: (P,) values to rank by.
        groups: (P,) group of each element, in [0, num_groups).
        num_groups: Number of groups.

    Returns:
        Ranks (P,) from 0, and the groups' sizes (num_groups,).
    """
    sizes = torch.zeros(num_groups, dtype=torch.long, device=keys.device)
    sizes.scatter_add_(0, groups, torch.ones_like(groups))
    order = keys.argsort(stable=True)
    order = order[groups[order].argsort(stable=True)]
    starts = (sizes.cumsum(0) - sizes)[groups[order]]
    positions = torch.arange(len(keys), device=keys.device) - starts
    return torch.empty_like(positions).scatter_(0, order, positions), sizes


def mine_prototypes(
    similarity: Tensor,
    eligible: Tensor,
    *,
    pool_ratio: float = 0.6,
    keep_ratio: float = 0.5,
    keys: Tensor | None = None,
) -> Tensor:
    """Semi-hard prototypes of each pixel (Sec. 3.5, Semi-hard Prototype Mining).

    Of a pixel's M eligible prototypes the ``round(pool_ratio M)`` most similar form the pool and
    ``max(1, round(keep_ratio M))`` of it are kept: the least similar ones, or those of the smallest ``keys``.

    Args:
        similarity: (P, K) similarity of each pixel to each prototype.
        eligible: (P, K) bool, prototypes that may be chosen.
        pool_ratio: Size of the pool relative to M.
        keep_ratio: Number of kept prototypes relative to M.
        keys: (P, K) random keys for a random choice from the pool; None keeps the pool's tail.

    Returns:
        (P, K) bool, the chosen prototypes.
    """
    number = eligible.sum(dim=1, keepdim=True)
    keep = (number * float(keep_ratio)).round().clamp(min=1).minimum(number)
    pool = (number * float(pool_ratio)).round().maximum(keep)
    rank = _rank_along(similarity.masked_fill(~eligible, float('-inf')), descending=True)
    pooled = (rank < pool) & eligible
    if keys is None:
        return pooled & (rank >= pool - keep)
    return pooled & (_rank_along(keys.masked_fill(~pooled, float('inf'))) < keep)


def _rank_along(values: Tensor, descending: bool = False) -> Tensor:
    """Rank of each value in its row, (P, K); ties in order of position."""
    order = values.argsort(dim=1, descending=descending, stable=True)
    places = torch.arange(values.shape[1], device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)


def sample_pixels(
    similarity: Tensor,
    random_keys: Tensor,
    labels: Tensor,
    num_classes: int,
    *,
    skip_hardest: float = 0.0,
    keep_singletons: bool = True,
) -> Tensor:
    """Multiplicity of each pixel when each class takes half of its pixels at random and half from the hard ones.

    Args:
        similarity: (P,) similarity of each pixel to its own prototype; the lower, the harder.
        random_keys: (P,) keys of the random half.
        labels: (P,) class of each pixel; ``num_classes`` marks a pixel that takes no part.
        num_classes: Number of classes.
        skip_hardest: Part of a class's pixels, the hardest, that the hard half leaves out (in thousandths).
        keep_singletons: A class of one pixel uses it, rather than nothing.

    Returns:
        (P,) multiplicities 0, 1 or 2, long.
    """
    random_rank, sizes = rank_within(random_keys, labels, num_classes + 1)
    hard_rank, _ = rank_within(similarity, labels, num_classes + 1)
    size = sizes[labels]
    half = size // 2
    end = size * round(1000 * (0.5 + skip_hardest)) // 1000
    chosen = (random_rank < half).long() + ((hard_rank >= end - half) & (hard_rank < end)).long()
    if keep_singletons:
        chosen = torch.where(size == 1, torch.ones_like(chosen), chosen)
    return torch.where(labels < num_classes, chosen, torch.zeros_like(chosen))
