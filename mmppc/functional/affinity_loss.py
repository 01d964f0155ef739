"""Labels of pairs and the losses of PSA and IRN on them (reference sheet, sections 8 and 9)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .affinity import fits, overlap
from .distributed import Ranks

EPS = 1e-5


def pair_labels(
    labels: Tensor, offsets: Tensor, *, border: str = 'full', ignore: int = 255
) -> tuple[Tensor, Tensor, Tensor]:
    """Sort the pairs of a confident label map: both background, both of one class, or different.

    Args:
        labels: (..., h, w) class of each cell, 0 the background, ``ignore`` where unsure.
        offsets: (O, 2) of (dy, dx), on the CPU.
        border: ``full`` takes every pair inside the grid, ``published`` the pairs that PSA's code takes, see
            :func:`mmppc.functional.affinity.pair_mask`.
        ignore: Label of cells that take no part.

    Returns:
        Three (..., O, h, w) bool maps: background pairs, foreground pairs, pairs of different labels.

    Raises:
        ValueError: ``border`` is unknown.
    """
    *batch, height, width = labels.shape
    shape = (*batch, len(offsets), height, width)
    kinds = tuple(torch.zeros(shape, dtype=torch.bool, device=labels.device) for _ in range(3))
    for index, rows, columns, _, found in _pairs(labels, offsets, border, ignore):
        for kind, values in zip(kinds, found):
            kind[..., index, rows, columns] = values
    return kinds[0], kinds[1], kinds[2]


def affinity_loss(
    affinity: Tensor, labels: Tensor, offsets: Tensor, *, border: str = 'full', ignore: int = 255
) -> dict[str, Tensor]:
    """Cross entropy of affinities, balanced between background, foreground and different pairs.

    Each part is the sum over the batch, of all processes together, divided by its number of pairs; background and
    foreground weigh a quarter each,
    different pairs a half (PSA and IRN alike).

    Args:
        affinity: (N, O, h, w) in [0, 1].
        labels: (N, h, w), see :func:`pair_labels`.
        offsets: (O, 2) of (dy, dx), on the CPU.
        border: See :func:`pair_labels`.
        ignore: Label of cells that take no part.

    Returns:
        ``loss_bg``, ``loss_fg`` and ``loss_neg``, scalars; 0 where there is no such pair.

    Raises:
        ValueError: The grids differ, or ``border`` is unknown.
    """
    if _grid(affinity) != labels.shape or affinity.shape[1] != len(offsets):
        raise ValueError(
            f'affinity {tuple(affinity.shape)} and labels {tuple(labels.shape)} for {len(offsets)} offsets: '
            'expected (N, O, h, w) and (N, h, w)'
        )
    background, foreground, different = pair_labels(labels, offsets, border=border, ignore=ignore)
    alike = -(affinity + EPS).log()
    unlike = -(1 + EPS - affinity).log()
    counts = torch.stack([kind.sum() for kind in (background, foreground, different)]).to(affinity)
    scale = _per_pair(counts)
    return {
        'loss_bg': (alike * background).sum() * scale[0] / 4,
        'loss_fg': (alike * foreground).sum() * scale[1] / 4,
        'loss_neg': (unlike * different).sum() * scale[2] / 2,
    }


def _grid(maps: Tensor) -> tuple[int, ...]:
    """(N, h, w) of maps (N, K, h, w)."""
    return (len(maps), *maps.shape[2:])


def displacement_loss(
    displacement: Tensor,
    labels: Tensor,
    offsets: Tensor,
    *,
    border: str = 'full',
    ignore: int = 255,
) -> dict[str, Tensor]:
    """IRN's displacement losses: two cells of one object point to the same place, two of the background stand still.

    With ``D`` the displacement of the first cell minus that of the second: ``|D - (dy, dx)|`` for foreground pairs
    and ``|D|`` for background pairs, mean over pairs and both components, each with weight one half.

    Args:
        displacement: (N, 2, h, w) of (dy, dx) in cells.
        labels: (N, h, w), see :func:`pair_labels`.
        offsets: (O, 2) of (dy, dx), on the CPU.
        border: See :func:`pair_labels`.
        ignore: Label of cells that take no part.

    Returns:
        ``loss_dp_fg`` and ``loss_dp_bg``, scalars.

    Raises:
        ValueError: The grids differ, or ``border`` is unknown.
    """
    if _grid(displacement) != labels.shape or displacement.shape[1] != 2:
        raise ValueError(
            f'displacement {tuple(displacement.shape)} and labels {tuple(labels.shape)}: expected (N, 2, h, w) '
            'and (N, h, w)'
        )
    foreground, background = _DisplacementSums.apply(displacement, labels, offsets, border, ignore)
    return {'loss_dp_fg': foreground / 2, 'loss_dp_bg': background / 2}


class _DisplacementSums(torch.autograd.Function):
    """Both means. Their gradient, a sum of signs, is summed up in the forward pass, so that no pair is kept."""

    @staticmethod
    def forward(
        ctx: Any, displacement: Tensor, labels: Tensor, offsets: Tensor, border: str, ignore: int
    ) -> tuple[Tensor, Tensor]:
        sums = displacement.new_zeros(2)
        counts = displacement.new_zeros(2)
        keeps = ctx.needs_input_grad[0]
        slopes = displacement.new_zeros((2, *displacement.shape) if keeps else (0,))
        goals = offsets.to(displacement).view(-1, 2, 1, 1)
        for index, rows, columns, second, found in _pairs(labels, offsets, border, ignore):
            change = displacement[..., rows, columns] - displacement[second]
            for kind, error, pairs in ((0, change - goals[index], found[1]), (1, change, found[0])):
                mask = pairs[:, None]
                sums[kind] += (error.abs() * mask).sum()
                counts[kind] += pairs.sum()
                if keeps:
                    step = error.sign() * mask
                    slopes[kind][..., rows, columns] += step
                    slopes[kind][second] -= step
        scale = _per_pair(2 * counts)
        ctx.save_for_backward(slopes, scale)
        means = sums * scale
        return means[0], means[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, foreground: Tensor, background: Tensor) -> tuple[Tensor | None, ...]:
        slopes, scale = ctx.saved_tensors
        gradient = slopes[0] * (foreground * scale[0]) + slopes[1] * (background * scale[1])
        return gradient, None, None, None, None


def _per_pair(counts: Tensor) -> Tensor:
    """What a sum of this process is multiplied by, so that the mean over processes is that over all their pairs."""
    ranks = Ranks()
    return ranks.size / (ranks.total(counts) + EPS)


def _pairs(
    labels: Tensor, offsets: Tensor, border: str, ignore: int
) -> Iterator[tuple[int, slice, slice, tuple, tuple[Tensor, Tensor, Tensor]]]:
    """For each offset: its number, where its first and second cells lie, and which pairs are background, foreground
    and different."""
    if border not in ('full', 'published'):
        raise ValueError(f"border must be 'full' or 'published', got {border!r}")
    height, width = labels.shape[-2:]
    reach = int(offsets.abs().max()) if len(offsets) else 0
    if border == 'published' and (height <= reach or width <= 2 * reach):
        return
    for index, (dy, dx) in enumerate(offsets.tolist()):
        if not fits(dy, dx, height, width):
            continue
        rows, columns, rows_to, columns_to = overlap(dy, dx, height, width)
        if border == 'published':
            rows, columns = slice(0, height - reach), slice(reach, width - reach)
            rows_to, columns_to = slice(dy, dy + rows.stop), slice(reach + dx, width - reach + dx)
        first, second = labels[..., rows, columns], labels[..., rows_to, columns_to]
        valid = (first != ignore) & (second != ignore)
        alike = valid & (first == second)
        kinds = (alike & (first == 0), alike & (first != 0), valid & (first != second))
        yield index, rows, columns, (..., rows_to, columns_to), kinds
