"""SEAM: equivariance of maps under a change of view, and pixel correlation (reference sheet, section 3)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .cam import with_background
from .classification import pool_maps

Warp = Callable[[Tensor], Tensor]


class _MaxNorm(torch.autograd.Function):
    """:func:`max_norm` with a backward pass of its own: half as many passes over maps of the input's resolution."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, eps: float, valid: Tensor | None) -> Tensor:  # type: ignore[override]
        lowest, highest = maps, maps
        if valid is not None:
            highest = maps.masked_fill(~valid, -torch.inf)
            lowest = maps.masked_fill(~valid, torch.inf)
        low, low_at = lowest.flatten(-2).min(dim=-1)
        high, high_at = highest.flatten(-2).max(dim=-1)
        high = high.relu()
        low = low.relu().minimum(high)  # where no pixel counts, both are 0
        scale = (high - low + eps).reciprocal()[..., None, None]
        scores = (maps - (low + eps)[..., None, None]).relu_().mul_(scale)
        ctx.save_for_backward(scores, scale, low_at, high_at, low > 0, high > 0)
        return scores

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        scores, scale, low_at, high_at, low_learns, high_learns = ctx.saved_tensors
        through = torch.where(scores > 0, grad, 0).mul_(scale)
        of_scale = (grad * scores).sum(dim=(-2, -1)) * scale[..., 0, 0]
        of_low = (of_scale - through.sum(dim=(-2, -1))) * low_learns
        flat = through.flatten(-2)
        flat.scatter_add_(-1, low_at.unsqueeze(-1), of_low.unsqueeze(-1))
        flat.scatter_add_(-1, high_at.unsqueeze(-1), (-of_scale * high_learns).unsqueeze(-1))
        return flat.view_as(grad), None, None


def max_norm(maps: Tensor, eps: float = 1e-5, valid: Tensor | None = None) -> Tensor:
    """Stretch each map (..., h, w) to [0, 1]; the gradient also flows through the minimum and the maximum.

    Those are of the ``valid`` pixels (bool, broadcast to ``maps``; None for all); others have no meaning afterwards.
    Of equal extremes, one takes the gradient. Differentiable once.
    """
    return _MaxNorm.apply(maps, eps, valid)


def background_from_foreground(maps: Tensor) -> Tensor:
    """Replace channel 0 of (N, 1+C, h, w) by one minus the strongest foreground channel."""
    foreground = maps[:, 1:]
    return torch.cat([1 - foreground.amax(dim=1, keepdim=True), foreground], dim=1)


def keep_strongest(maps: Tensor) -> Tensor:
    """Zero all foreground channels of a pixel but the strongest; channel 0 stays, (N, 1+C, h, w)."""
    foreground = maps[:, 1:]
    strongest = foreground == foreground.amax(dim=1, keepdim=True)
    return torch.cat([maps[:, :1], foreground * strongest], dim=1)


@torch.no_grad()
def correlation_input(cams: Tensor, eps: float = 1e-5) -> Tensor:
    """What :func:`pixel_correlation` spreads: maps scaled by their maximum, background, only the strongest class.

    Args:
        cams: Raw maps, (N, 1+C, h, w). Not differentiated.
    """
    maps = cams.relu()
    scaled = (maps - eps).relu() / (maps.amax(dim=(-2, -1), keepdim=True) + eps)
    return keep_strongest(background_from_foreground(scaled))


def pixel_correlation(
    cams: Tensor, features: Tensor, *, chunk: int | None = None, eps: float = 1e-5
) -> Tensor:
    """Spread the maps over pixels of similar features: SEAM's pixel correlation module.

    The affinity of two pixels is the positive part of the cosine of their features; each pixel receives the average of
    the maps, weighted by its affinities. Gradients reach the features only.

    Args:
        cams: Raw maps, (N, 1+C, h, w), background first.
        features: Features of the same grid, (N, D, h, w).
        chunk: Receiving pixels handled at once. None takes all, with an (hw, hw) affinity a picture; at inference a
            chunk keeps the memory linear in the picture's size.

    Returns:
        Refined maps, (N, 1+C, h, w), in [0, 1].
    """
    height, width = cams.shape[-2:]
    maps = correlation_input(cams, eps).flatten(2)
    features = features.flatten(2)
    features = features / (features.norm(dim=1, keepdim=True) + eps)
    pixels = height * width
    refined = []
    for receivers in features.split(chunk or pixels, dim=2):
        affinity = torch.bmm(features.transpose(1, 2), receivers).relu()
        affinity = affinity / (affinity.sum(dim=1, keepdim=True) + eps)
        refined.append(torch.bmm(maps, affinity))
    return torch.cat(refined, dim=2).unflatten(2, (height, width))


def minimum_pooling(refined: Tensor, tags: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean of the strongest tagged foreground response over the quarter of pixels where it is weakest.

    It keeps the refined maps from covering the whole picture.

    Args:
        refined: Refined maps at the view's input resolution, (N, 1+C, H, W).
        tags: Classes in each picture, (N, C) multi-hot.
        valid: Pixels of which the quarter is taken, (N, 1, H, W) bool; None for all.
    """
    strongest = (refined[:, 1:] * tags[:, :, None, None].to(refined)).amax(dim=1).flatten(1)
    if valid is not None:
        return _mean_of_lowest(strongest.relu(), valid.flatten(1), 0.25)
    count = max(strongest.shape[1] // 4, 1)
    return strongest.topk(count, dim=1, largest=False).values.relu().sum() / (count * len(refined))


def _mean_of_lowest(values: Tensor, counted: Tensor, share: float) -> Tensor:
    """Mean over rows of the mean of the lowest ``share`` of each row's ``counted`` values, both (N, P).

    At least one value is taken; a row in which none counts adds 0.
    """
    number = counted.sum(dim=1, keepdim=True)
    taken = (number.double() * share).long().clamp(min=1).minimum(number)
    ascending = values.masked_fill(~counted, torch.inf).sort(dim=1).values
    places = torch.arange(values.shape[1], device=values.device)
    total = ascending.masked_fill(places >= taken, 0).sum(dim=1)
    return (total / taken.squeeze(1).clamp(min=1)).mean()


def equivariance(first: Tensor, second: Tensor, valid: Tensor | None = None) -> Tensor:
    """ER: mean distance of two views' normalised foreground maps, (N, 1+C, H, W) each, in one frame.

    With ``valid`` (N, 1, H, W) bool, the mean over each picture's valid pixels, then over pictures.
    """
    distance = (first[:, 1:] - second[:, 1:]).abs()
    if valid is None:
        return distance.mean()
    return pool_maps(distance, valid=valid).mean()


def cross_equivariance(
    maps: Tensor, refined: Tensor, share: float = 0.2, valid: Tensor | None = None
) -> Tensor:
    """One direction of ECR: distance of one view's refined maps to the other view's maps where it is largest.

    Args:
        maps: Normalised maps of the one view, background set, (N, 1+C, H, W). Not differentiated.
        refined: Normalised refined maps of the other view in the same frame, (N, 1+C, H, W).
        share: Part of each picture's values that enters, the largest.
        valid: Pixels whose values count, (N, 1, H, W) bool; None for all.
    """
    error = (keep_strongest(maps.detach()) - refined).abs().flatten(1)
    if valid is not None:
        counted = valid.expand(-1, refined.shape[1], -1, -1).flatten(1)
        return -_mean_of_lowest(-error, counted, share)
    count = max(int(share * error.shape[1]), 1)
    return error.topk(count, dim=1).values.mean()


def seam_losses(
    cams: tuple[Tensor, Tensor],
    refined: tuple[Tensor, Tensor],
    tags: Tensor,
    warp: Warp,
    valid: Tensor | None = None,
) -> dict[str, Tensor]:
    """SEAM's regularisers on two views of a picture.

    Args:
        cams: Raw maps of both views, (N, 1+C, H, W), as published at their input resolutions.
        refined: The same after :func:`pixel_correlation`.
        tags: Classes in each picture, (N, C) multi-hot.
        warp: Brings maps of the first view into the second view's frame at the second maps' resolution; applied after
            normalisation.
        valid: Pixels of the second view's frame that the first view covers, (N, 1, H, W) bool; None for all. What is
            outside of it, in either view, is left out: maps are normalised in the common part, after ``warp``.

    Returns:
        ``loss_er``, ``loss_ecr`` (both directions added) and ``loss_min_pool`` (mean of both views), scalars.
    """
    mask = with_background(tags)[:, :, None, None].to(cams[0])

    def normalised(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        if valid is None:
            return warp(max_norm(pair[0])) * mask, max_norm(pair[1]) * mask
        both = (max_norm(maps, valid=valid) for maps in (warp(pair[0]), pair[1]))
        first, second = (maps.masked_fill(~valid, 0) * mask for maps in both)
        return first, second

    first, second = normalised(cams)
    first_refined, second_refined = normalised(refined)
    loss_er = equivariance(first, second, valid)
    first, second = background_from_foreground(first), background_from_foreground(second)
    return {
        'loss_er': loss_er,
        'loss_ecr': cross_equivariance(second, first_refined, valid=valid)
        + cross_equivariance(first, second_refined, valid=valid),
        'loss_min_pool': (
            minimum_pooling(refined[0], tags) + minimum_pooling(refined[1], tags, valid)
        )
        / 2,
    }
