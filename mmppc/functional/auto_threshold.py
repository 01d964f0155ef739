"""Background thresholds that come from the maps themselves."""

import torch
from torch import Tensor

from .distributed import Ranks

BINS = 128
METHODS = ('otsu', 'otsu_picture', 'share')


def score_histogram(scores: Tensor, counted: Tensor | None = None, bins: int = BINS) -> Tensor:
    """How many cells of each map have which score.

    Args:
        scores: (N, ...); values outside [0, 1] count as the nearest end.
        counted: Cells that count, bool, broadcast to ``scores``; None for all.
        bins: Equal parts of [0, 1].

    Returns:
        (N, ``bins``) long.
    """
    index = (scores.clamp(0, 1) * bins).long().clamp(max=bins - 1).flatten(1)
    ones = torch.ones_like(index)
    if counted is not None:
        ones = ones * counted.expand_as(scores).flatten(1)
    return ones.new_zeros(len(scores), bins).scatter_add_(1, index, ones)


def otsu_threshold(histogram: Tensor) -> Tensor:
    """Otsu's threshold: the parts below and above it differ most, in the variance between them.

    Args:
        histogram: Cells per equal part of [0, 1], (..., B) long.

    Returns:
        (...) float32, a border between two parts: scores above it are foreground. Where several borders are as good,
        as between two heaps with nothing in between, their middle. Cells that all fall into one part, or no cells at
        all, give 1: nothing stands out, so nothing is foreground.

    Examples:
        >>> otsu_threshold(torch.tensor([9, 3, 0, 0, 1, 6, 0, 0]))
        tensor(0.3750)
    """
    bins = histogram.shape[-1]
    # Whole numbers as long as possible: equally good borders are then equal to the last bit, on every rank.
    below = histogram.cumsum(dim=-1)[..., :-1]
    total = histogram.sum(dim=-1, keepdim=True)
    weighted = histogram * torch.arange(bins, device=histogram.device)
    sum_below = weighted.cumsum(dim=-1)[..., :-1]
    above, sum_above = total - below, weighted.sum(dim=-1, keepdim=True) - sum_below
    gap = sum_above / above.clamp(min=1) - sum_below / below.clamp(min=1)
    between = (below / total.clamp(min=1)) * (above / total.clamp(min=1)) * gap.square()
    best = between.amax(dim=-1, keepdim=True)
    ties = (between == best).to(between)
    borders = torch.arange(1, bins, device=histogram.device).to(between) / bins
    middle = (ties * borders).sum(dim=-1) / ties.sum(dim=-1)
    return torch.where(best.squeeze(-1) > 0, middle, torch.ones_like(middle))


def share_threshold(histogram: Tensor, share: float) -> Tensor:
    """The lowest border with at most ``share`` of the cells above it.

    Args:
        histogram: Cells per equal part of [0, 1], (..., B) long.
        share: Part of the cells that is expected to be foreground, in [0, 1].

    Returns:
        (...) float32 in (0, 1].

    Examples:
        >>> share_threshold(torch.tensor([4, 2, 1, 1]), 0.25)
        tensor(0.5000)
    """
    bins = histogram.shape[-1]
    above = histogram.sum(dim=-1, keepdim=True) - histogram.cumsum(dim=-1)
    fits = above <= share * histogram.sum(dim=-1, keepdim=True)
    return (fits.to(torch.uint8).argmax(dim=-1) + 1).float() / bins


@torch.no_grad()
def automatic_threshold(
    scores: Tensor,
    tags: Tensor,
    method: str,
    *,
    share: float = 0.3,
    valid: Tensor | None = None,
    ranks: Ranks | None = None,
    bins: int = BINS,
) -> Tensor:
    """Score of the background from the strongest tagged foreground score of each cell.

    Nothing is copied to the host. Pictures without a tag do not count.

    Args:
        scores: Normalised maps, (N, 1+C, h, w); channel 0 is not read.
        tags: Classes in each picture, (N, C) multi-hot.
        method: ``otsu``, one threshold for the batch; ``otsu_picture``, one a picture; ``share``, the threshold that
            leaves ``share`` of the batch's cells in the foreground.
        share: See ``share_threshold``.
        valid: Cells that count, (N, h, w) bool; None for all.
        ranks: Processes that share the batch: their histograms are added. None for this one alone.
        bins: Parts of [0, 1] that are told apart.

    Returns:
        (N, 1, 1, 1) in (0, 1], of the dtype of ``scores``.

    Raises:
        ValueError: The method is unknown.
    """
    if method not in METHODS:
        raise ValueError(f'automatic threshold: method={method!r}, expected one of {METHODS}')
    strongest = (scores[:, 1:] * tags[:, :, None, None].to(scores)).amax(dim=1)
    counted = (tags > 0).any(dim=1)[:, None, None]
    if valid is not None:
        counted = counted & valid
    histogram = score_histogram(strongest, counted, bins)
    if method == 'otsu_picture':
        threshold = otsu_threshold(histogram)
    else:
        whole = histogram.sum(dim=0)
        whole = whole if ranks is None else ranks.total(whole)
        one = otsu_threshold(whole) if method == 'otsu' else share_threshold(whole, share)
        threshold = one.expand(len(scores))
    return threshold.to(scores)[:, None, None, None]
