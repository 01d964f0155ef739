"""Affinities of neighbouring cells as one map per offset (PSA, IRN; reference sheet, sections 8 and 9).

The affinity of a pair is stored where its first cell lies: the map of offset ``(dy, dx)`` holds at ``(y, x)`` the
affinity of ``(y, x)`` and ``(y + dy, x + dx)``. Offsets point to one half plane, so each pair is stored once.
"""

from functools import lru_cache

import torch
from torch import Tensor


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


def _fits(dy: int, dx: int, height: int, width: int) -> bool:
    return abs(dy) < height and abs(dx) < width


def feature_affinity(features: Tensor, offsets: Tensor) -> Tensor:
    """exp(-mean absolute difference) of neighbouring features, PSA's affinity.

    Args:
        features: (D, h, w).
        offsets: (O, 2) of (dy, dx), from :func:`neighbour_offsets`.

    Returns:
        (O, h, w) in (0, 1]; 0 where the neighbour lies outside.
    """
    _, height, width = features.shape
    result = features.new_zeros(len(offsets), height, width)
    for index, (dy, dx) in enumerate(offsets.tolist()):
        if not _fits(dy, dx, height, width):
            continue
        rows, columns, rows_to, columns_to = overlap(dy, dx, height, width)
        difference = (features[:, rows, columns] - features[:, rows_to, columns_to]).abs()
        result[index, rows, columns] = torch.exp(-difference.mean(dim=0))
    return result


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

    Args:
        edge: (h, w) in [0, 1].
        offsets: (O, 2) of (dy, dx), from :func:`neighbour_offsets`.

    Returns:
        (O, h, w) in [0, 1]; 0 where the neighbour lies outside.
    """
    height, width = edge.shape
    result = edge.new_zeros(len(offsets), height, width)
    for index, (dy, dx) in enumerate(offsets.tolist()):
        if not _fits(dy, dx, height, width):
            continue
        rows, columns, _, _ = overlap(dy, dx, height, width)
        # Every cell of the path lies between the two ends, so it is inside where they are.
        highest = edge[rows, columns]
        for y, x in path_cells(dy, dx):
            shifted = edge[
                rows.start + y : rows.stop + y,
                columns.start + x : columns.stop + x,
            ]
            highest = torch.maximum(highest, shifted)
        result[index, rows, columns] = 1 - highest
    return result


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
        elif _fits(dy, dx, height, width):
            rows, columns, _, _ = overlap(dy, dx, height, width)
            mask[index, rows, columns] = True
    return mask


def pair_labels(
    labels: Tensor, offsets: Tensor, *, border: str = 'full', ignore: int = 255
) -> tuple[Tensor, Tensor, Tensor]:
    """Sort the pairs of a confident label map: both background, both of one class, or different.

    Args:
        labels: (h, w) class of each cell, 0 the background, ``ignore`` where unsure.
        offsets: (O, 2) of (dy, dx).
        border: See :func:`pair_mask`.
        ignore: Label of cells that take no part.

    Returns:
        Three (O, h, w) bool maps: background pairs, foreground pairs, pairs of different labels.
    """
    height, width = labels.shape
    valid = pair_mask(offsets, height, width, border).to(labels.device)
    second = torch.full((len(offsets), height, width), ignore, device=labels.device).to(labels)
    for index, (dy, dx) in enumerate(offsets.tolist()):
        if _fits(dy, dx, height, width):
            rows, columns, rows_to, columns_to = overlap(dy, dx, height, width)
            second[index, rows, columns] = labels[rows_to, columns_to]
    valid = valid & (labels != ignore) & (second != ignore)
    equal = labels == second
    return valid & equal & (labels == 0), valid & equal & (labels != 0), valid & ~equal
