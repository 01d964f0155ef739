"""Classification of pictures by the average of their class activation maps."""

import torch
import torch.nn.functional as F
from torch import Tensor


def align_corners_weights(length: int, size: int, like: Tensor) -> Tensor:
    """Weight of each of ``length`` grid points in the mean of the line resampled to ``size`` points, (length,).

    Averaging a map after bilinear upsampling with aligned corners is a weighted average of the map itself: border
    points weigh about half, and the outer product of the two lines' weights is exact for a picture.
    """
    basis = torch.eye(length, dtype=like.dtype, device=like.device)[None]
    return F.interpolate(basis, size=size, mode='linear', align_corners=True)[0].mean(dim=-1)


def pool_maps(
    maps: Tensor, size: tuple[int, int] | None = None, valid: Tensor | None = None
) -> Tensor:
    """Average each map, (N, K, h, w) -> (N, K) (Eq. 2).

    Args:
        maps: Raw maps.
        size: Average the maps as upsampled to ``(H, W)`` with aligned corners, as SEAM does; None for the plain mean.
        valid: Average these pixels only, (N, 1, H, W) bool on the grid that is averaged; None for all. 0 where a
            picture has none.
    """
    if valid is not None:
        if size is not None and tuple(maps.shape[-2:]) != tuple(size):
            maps = F.interpolate(maps, size=size, mode='bilinear', align_corners=True)
        total = maps.masked_fill(~valid, 0).sum(dim=(-2, -1))
        return total / valid.sum(dim=(-2, -1)).clamp(min=1)
    if size is None:
        return maps.mean(dim=(-2, -1))
    maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
    rows = align_corners_weights(maps.shape[-2], size[0], maps)
    columns = align_corners_weights(maps.shape[-1], size[1], maps)
    with torch.autocast(maps.device.type, enabled=False):
        return torch.einsum('nkhw,h,w->nk', maps, rows, columns)


def tag_classification(
    logits: Tensor,
    tags: Tensor,
    *,
    size: tuple[int, int] | None = None,
    valid: Tensor | None = None,
) -> Tensor:
    """Multi-label soft-margin loss of the foreground channels against the tags (Eq. 2).

    Args:
        logits: Raw maps, (N, 1+C, h, w), background first; the background takes no part.
        tags: Classes in each picture, (N, C) multi-hot.
        size: See :func:`pool_maps`.
        valid: See :func:`pool_maps`.

    Returns:
        Scalar, the mean over pictures and classes.

    Raises:
        ValueError: The tags do not fit the logits.
    """
    if tags.shape != (len(logits), logits.shape[1] - 1):
        raise ValueError(
            f'logits {tuple(logits.shape)} and tags {tuple(tags.shape)}: expected (N, 1+C, h, w) and (N, C)'
        )
    scores = pool_maps(logits, size, valid)[:, 1:]
    return F.multilabel_soft_margin_loss(scores, tags.to(scores))
