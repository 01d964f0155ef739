"""Class activation maps as scores and pseudo labels."""

import torch
from torch import Tensor


def min_max_normalize(maps: Tensor, *, eps: float = 1e-5, clamp: bool = True) -> Tensor:
    """Stretch each activation map to [0, 1] (``reference``: normalisation before the contrast and of seeds).

    Negative activations count as zero and values within ``eps`` of the minimum as background.

    Args:
        maps: Raw maps, (..., h, w).
        eps: Margin above the minimum that still counts as nothing.
        clamp: Limit the result to [0, 1]. The published code does not, so that an empty map becomes -1 everywhere.

    Returns:
        Scores of the same shape.
    """
    maps = maps.relu()
    low = maps.amin(dim=(-2, -1), keepdim=True)
    high = maps.amax(dim=(-2, -1), keepdim=True)
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
