"""Affinities of neighbouring cells as one map per offset (PSA, IRN; reference sheet, sections 8, 9 and 11).

The affinity of a pair is stored where its first cell lies: the map of offset ``(dy, dx)`` holds at ``(y, x)`` the
affinity of ``(y, x)`` and ``(y + dy, x + dx)``. Offsets point to one half plane, so each pair is stored once.

Both affinities are differentiable and never gather the pairs: each offset is a difference (or maximum) of shifted
slices that is reduced at once, and taken anew in the backward pass.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def neighbour_offsets(radius: int) -> Tensor:
    """Offsets (dy, dx) to the neighbours nearer than ``radius``, one of each opposite pair, (O, 2) long.

    In the order of the published code: to the right along the row, then row by row below, from left to right.

    Raises:
        ValueError: ``radius`` is below 1.

    Examples:
        >>> neighbour_offsets(5).shape
        torch.Size([34, 2])
        >>> neighbour_offsets(2).tolist()
        [[0, 1], [1, -1], [1, 0], [1, 1]]
    """
    if radius < 1:
        raise ValueError(f'radius must be at least 1, got {radius}')
    right = [(0, dx) for dx in range(1, radius)]
    below = [
        (dy, dx)
        for dy in range(1, radius)
        for dx in range(1 - radius, radius)
        if dy * dy + dx * dx < radius * radius
    ]
    return torch.tensor(right + below, dtype=torch.long).reshape(-1, 2)


def overlap(dy: int, dx: int, height: int, width: int) -> tuple[slice, slice, slice, slice]:
    """Where a (height, width) grid and itself shifted by (dy, dx) overlap.

    Returns:
        Row and column slices of the first cells, and of the second cells, of all pairs of this offset.
    """
    return (
        slice(max(-dy, 0), height - max(dy, 0)),
        slice(max(-dx, 0), width - max(dx, 0)),
        slice(max(dy, 0), height - max(-dy, 0)),
        slice(max(dx, 0), width - max(-dx, 0)),
    )


def fits(dy: int, dx: int, height: int, width: int) -> bool:
    """Whether a grid has pairs of this offset."""
    return abs(dy) < height and abs(dx) < width


def feature_affinity(features: Tensor, offsets: Tensor) -> Tensor:
    """exp(-mean absolute difference) of neighbouring features, PSA's affinity.

    Differentiable once. Memory beside the result is that of a few copies of ``features``, whatever the number of
    offsets.

    Args:
        features: (..., D, h, w).
        offsets: (O, 2) of (dy, dx), from :func:`neighbour_offsets`, on the CPU.

    Returns:
        (..., O, h, w) in (0, 1]; 0 where the neighbour lies outside.
    """
    return _FeatureAffinity.apply(features, offsets)


class _FeatureAffinity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, offsets: Tensor) -> Tensor:
        *batch, _, height, width = features.shape
        result = features.new_zeros(*batch, len(offsets), height, width)
        for index, (dy, dx) in enumerate(offsets.tolist()):
            if not fits(dy, dx, height, width):
                continue
            rows, columns, rows_to, columns_to = overlap(dy, dx, height, width)
            difference = features[..., rows, columns] - features[..., rows_to, columns_to]
            result[..., index, rows, columns] = difference.abs_().mean(dim=-3).neg_().exp_()
        ctx.save_for_backward(features, offsets, result)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        features, offsets, affinity = ctx.saved_tensors
        depth, height, width = features.shape[-3:]
        result = torch.zeros_like(features)
        # d exp(-mean |a - b|) / da = -affinity sign(a - b) / D
        slope = gradient * affinity / -depth
        for index, (dy, dx) in enumerate(offsets.tolist()):
            if not fits(dy, dx, height, width):
                continue
            rows, columns, rows_to, columns_to = overlap(dy, dx, height, width)
            step = (features[..., rows, columns] - features[..., rows_to, columns_to]).sign_()
            step *= slope[..., None, index, rows, columns]
            result[..., rows, columns] += step
            result[..., rows_to, columns_to] -= step
        return result, None


@lru_cache(maxsize=512)
def path_cells(dy: int, dx: int) -> tuple[tuple[int, int], ...]:
    """Cells on the straight path from the origin to ``(dy, dx)``, both included, destination first.

    A cell of the bounding box is on the path if its distance to the line is below one.
    """
    length = dy * dy + dx * dx
    cells = [
        (y, x)
        for y in range(min(dy, 0), max(dy, 0) + 1)
        for x in range(min(dx, 0), max(dx, 0) + 1)
        if (dy * x - dx * y) ** 2 < length
    ]
    return tuple(sorted(cells, key=lambda cell: -(abs(cell[0]) + abs(cell[1]))))


def boundary_affinity(edge: Tensor, offsets: Tensor) -> Tensor:
    """One minus the strongest edge on the path between two cells, IRN's affinity.

    Differentiable once; the gradient goes to the strongest cell, of equal ones to that nearest to the destination.
    Memory is that of the result and, for the backward pass, one byte for each of its values.

    Args:
        edge: (..., h, w) in [0, 1].
        offsets: (O, 2) of (dy, dx), from :func:`neighbour_offsets`, on the CPU.

    Returns:
        (..., O, h, w) in [0, 1]; 0 where the neighbour lies outside.
    """
    return _BoundaryAffinity.apply(edge, offsets)


class _BoundaryAffinity(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, edge: Tensor, offsets: Tensor) -> Tensor:
        *batch, height, width = edge.shape
        result = edge.new_zeros(*batch, len(offsets), height, width)
        keeps = ctx.needs_input_grad[0]
        strongest = result.new_zeros(result.shape if keeps else (0,), dtype=torch.uint8)
        for index, (dy, dx) in enumerate(offsets.tolist()):
            if not fits(dy, dx, height, width):
                continue
            # Every cell of the path lies between the two ends, so it is inside where they are.
            rows, columns, _, _ = overlap(dy, dx, height, width)
            cells = path_cells(dy, dx)
            highest = edge[_moved(rows, columns, cells[0])]
            for number, cell in enumerate(cells[1:], start=1):
                value = edge[_moved(rows, columns, cell)]
                if keeps:
                    strongest[..., index, rows, columns].masked_fill_(value > highest, number)
                highest = torch.maximum(highest, value)
            result[..., index, rows, columns] = 1 - highest
        ctx.save_for_backward(offsets, strongest)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        offsets, strongest = ctx.saved_tensors
        *batch, _, height, width = gradient.shape
        result = gradient.new_zeros(*batch, height, width)
        for index, (dy, dx) in enumerate(offsets.tolist()):
            if not fits(dy, dx, height, width):
                continue
            rows, columns, _, _ = overlap(dy, dx, height, width)
            given = gradient[..., index, rows, columns]
            place = strongest[..., index, rows, columns]
            for number, cell in enumerate(path_cells(dy, dx)):
                result[_moved(rows, columns, cell)] -= given * (place == number)
        return result, None


def _moved(rows: slice, columns: slice, cell: tuple[int, int]) -> tuple:
    """Index of the cells that lie ``cell`` = (y, x) away from the first cells of the pairs."""
    y, x = cell
    return ..., slice(rows.start + y, rows.stop + y), slice(columns.start + x, columns.stop + x)


def pair_mask(offsets: Tensor, height: int, width: int, border: str = 'full') -> Tensor:
    """Which pairs exist, (O, height, width) bool.

    Args:
        offsets: (O, 2) of (dy, dx).
        height: Rows of the grid.
        width: Columns of the grid.
        border: ``full`` takes every pair inside the grid. ``published`` takes only first cells from which all offsets
            stay inside, as PSA's code does; it leaves the cells of two corners without any pair.

    Raises:
        ValueError: ``border`` is unknown.
    """
    if border not in ('full', 'published'):
        raise ValueError(f"border must be 'full' or 'published', got {border!r}")
    mask = torch.zeros(len(offsets), height, width, dtype=torch.bool, device=offsets.device)
    reach = int(offsets.abs().max()) if len(offsets) else 0
    for index, (dy, dx) in enumerate(offsets.tolist()):
        if border == 'published':
            mask[index, : max(height - reach, 0), reach : max(width - reach, reach)] = True
        elif fits(dy, dx, height, width):
            rows, columns, _, _ = overlap(dy, dx, height, width)
            mask[index, rows, columns] = True
    return mask
