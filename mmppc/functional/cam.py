"""Class activation maps as scores and pseudo labels."""

import torch
from torch import Tensor


def map_range(maps: Tensor, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Lowest and highest value of each non-negative map (..., h, w), (..., 1, 1) each.

    Args:
        maps: Values of at least 0; differentiated.
        valid: Cells that count, bool, broadcast to ``maps``; None for all. Both are 0 where none counts.
    """
    if valid is None:
        return maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    high = maps.masked_fill(~valid, 0).amax(dim=(-2, -1), keepdim=True)
    low = torch.where(valid, maps, high.detach()).amin(dim=(-2, -1), keepdim=True)
    return low, high


def min_max_normalize(
    maps: Tensor, *, eps: float = 1e-5, clamp: bool = True, valid: Tensor | None = None
) -> Tensor:
    """Stretch each activation map to [0, 1] (``reference``: normalisation before the contrast and of seeds).

    Negative activations count as zero and values within ``eps`` of the minimum as background.

    Args:
        maps: Raw maps, (..., h, w).
        eps: Margin above the minimum that still counts as nothing.
        clamp: Limit the result to [0, 1]. The published code does not, so that an empty map becomes -1 everywhere.
        valid: Cells that make the minimum and the maximum, bool, broadcast to ``maps``; None for all.

    Returns:
        Scores of the same shape; without meaning outside ``valid``.
    """
    maps = maps.relu()
    low, high = map_range(maps, valid)
    maps = torch.where(maps < low + eps, torch.zeros_like(maps), maps)
    scores = (maps - low - eps) / (high - low + eps)
    return scores.clamp(0, 1) if clamp else scores


def with_background(tags: Tensor) -> Tensor:
    """Put the background, which every picture has, before the tags: (N, C) -> (N, 1+C)."""
    return torch.cat([torch.ones_like(tags[:, :1]), tags], dim=1)


def pseudo_labels(scores: Tensor, tags: Tensor, threshold: float) -> Tensor:
    """Label each pixel with its strongest tagged class, or background where none exceeds ``threshold`` (Sec. 3.2).

    Args:
        scores: Normalised maps, (N, 1+C, h, w); channel 0 is not read.
        tags: Classes in each picture, (N, C) multi-hot.
        threshold: Score of the background.

    Returns:
        Labels (N, h, w) in [0, C].
    """
    foreground = scores[:, 1:] * tags[:, :, None, None].to(scores)
    background = torch.full_like(foreground[:, :1], threshold)
    return torch.cat([background, foreground], dim=1).argmax(dim=1)


def background_score(
    scores: Tensor, *, alpha: float | None = None, constant: float | None = None
) -> Tensor:
    """Score of the background, from the classes' scores or the same everywhere.

    Args:
        scores: Scores of the classes in a picture, (K, ...), in [0, 1]; values outside count as the nearest end.
            K = 0, a picture without a tag, is all background.
        alpha: The score is (1 - max over the classes) ** ``alpha`` (PSA, SEAM). The larger it is, the less background.
        constant: The score, in [0, 1]. Exactly one of the two must be given.

    Returns:
        (...), of the dtype of ``scores``; 1 where K = 0 and ``alpha`` is given.

    Raises:
        ValueError: Both or none is given, or a value is out of range.

    Examples:
        >>> background_score(torch.tensor([[0.5, 0.0], [0.25, 1.0]]), alpha=2)
        tensor([0.2500, 0.0000])
    """
    if alpha is None and constant is not None:
        if not 0 <= constant <= 1:
            raise ValueError(f'constant={constant}, expected 0 .. 1')
        return scores.new_full(scores.shape[1:], constant)
    if alpha is None or constant is not None:
        raise ValueError(f'expected one of alpha and constant, got {alpha=}, {constant=}')
    if not alpha > 0:
        raise ValueError(f'alpha={alpha}, expected more than 0')
    if not len(scores):
        return scores.new_ones(scores.shape[1:])
    return (1 - scores.amax(dim=0).clamp(0, 1)) ** alpha
