"""Random walks of class scores over sparse affinities (PSA, IRN; reference sheet, sections 8, 9 and 11)."""

import warnings

import torch
from torch import Tensor

from .affinity import overlap


def transition(affinity: Tensor, offsets: Tensor, beta: float) -> Tensor:
    """Column-stochastic transition of the walk, transposed, as a CSR matrix (h w, h w).

    Entry ``(j, i)`` is ``A[i, j] ** beta`` over the sum of column j; ``A`` is symmetric with ones on the diagonal.

    Args:
        affinity: (O, h, w), one map per offset; 0 where the neighbour lies outside.
        offsets: (O, 2) of (dy, dx).
        beta: Exponent that sharpens the affinities.
    """
    _, height, width = affinity.shape
    cells = torch.arange(height * width, device=affinity.device).reshape(height, width)
    rows, columns, values = [cells.flatten()], [cells.flatten()], [affinity.new_ones(cells.numel())]
    for index, (dy, dx) in enumerate(offsets.tolist()):
        if abs(dy) >= height or abs(dx) >= width:
            continue
        from_rows, from_columns, to_rows, to_columns = overlap(dy, dx, height, width)
        first = cells[from_rows, from_columns].flatten()
        second = cells[to_rows, to_columns].flatten()
        weight = (affinity[index, from_rows, from_columns] ** beta).flatten()
        rows += [first, second]
        columns += [second, first]
        values += [weight, weight]
    row, value = torch.cat(rows), torch.cat(values)
    total = value.new_zeros(height * width).scatter_add_(0, row, value)
    indices = torch.stack([row, torch.cat(columns)])
    size = (height * width, height * width)
    matrix = torch.sparse_coo_tensor(indices, value / total[row], size, check_invariants=False)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Sparse CSR tensor support is in beta')
        return matrix.coalesce().to_sparse_csr()


@torch.no_grad()
def random_walk(
    scores: Tensor, affinity: Tensor, offsets: Tensor, *, beta: float, steps: int
) -> Tensor:
    """Spread class scores by ``steps`` steps of a random walk, exactly, without the dense matrix.

    Equal to ``scores @ T ** steps`` with ``T`` the symmetric affinities to the power ``beta``, ones on the diagonal,
    divided by their column sums. Time is O(steps K O h w) and memory O((K + O) h w).

    Args:
        scores: (K, h, w) of the background and the present classes.
        affinity: (O, h, w) symmetric affinity of each cell and its neighbour at each offset; 0 where that lies outside.
        offsets: (O, 2) of (dy, dx), from :func:`mmppc.functional.affinity.neighbour_offsets`.
        beta: Exponent of the affinities; PSA 8, IRN 10.
        steps: Length of the walk; PSA 2 ** 6 to 2 ** 8, IRN 2 ** 8.

    Returns:
        (K, h, w).

    Raises:
        ValueError: The grids differ, or ``steps`` is negative.
    """
    if scores.shape[1:] != affinity.shape[1:] or len(offsets) != len(affinity):
        raise ValueError(
            f'scores {tuple(scores.shape)}, affinity {tuple(affinity.shape)} and {len(offsets)} offsets do not fit'
        )
    if steps < 0:
        raise ValueError(f'steps must not be negative, got {steps}')
    matrix = transition(affinity, offsets, beta)
    state = scores.flatten(1).t().contiguous()
    for _ in range(steps):
        state = matrix @ state
    return state.t().reshape(scores.shape)
