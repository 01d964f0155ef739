"""Random walks of class scores over sparse affinities (PSA, IRN; reference sheet, sections 8, 9 and 11)."""

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from .affinity import fits, overlap

METHODS = ('exact', 'chebyshev')


def transition(affinity: Tensor, offsets: Tensor, beta: float) -> Tensor:
    """Column-stochastic transition of the walk, transposed, as a CSR matrix (h w, h w).

    Entry ``(j, i)`` is ``A[i, j] ** beta`` over the sum of column j; ``A`` is symmetric with ones on the diagonal.
    It is laid out directly, row by row, without sorting.

    Args:
        affinity: (O, h, w), one map per offset; 0 where the neighbour lies outside.
        offsets: (O, 2) of (dy, dx), on the CPU.
        beta: Exponent that sharpens the affinities.
    """
    _, height, width = affinity.shape
    given = [(dy, dx) for dy, dx in offsets.tolist() if fits(dy, dx, height, width)]
    numbers = [k for k, (dy, dx) in enumerate(offsets.tolist()) if fits(dy, dx, height, width)]
    # Neighbours in reading order, so that the columns of a row ascend.
    moves = sorted([(0, 0), *given, *((-dy, -dx) for dy, dx in given)])
    weight = affinity.new_zeros(height, width, len(moves))
    inside = torch.zeros(weight.shape, dtype=torch.bool, device=affinity.device)
    weight[..., moves.index((0, 0))] = 1
    inside[..., moves.index((0, 0))] = True
    for number, (dy, dx) in zip(numbers, given):
        rows, columns, rows_to, columns_to = overlap(dy, dx, height, width)
        values = affinity[number, rows, columns] ** beta
        there, back = moves.index((dy, dx)), moves.index((-dy, -dx))
        weight[rows, columns, there] = values
        weight[rows_to, columns_to, back] = values
        inside[rows, columns, there] = True
        inside[rows_to, columns_to, back] = True
    weight /= weight.sum(dim=2, keepdim=True)
    number_inside = height * width + 2 * sum(
        (height - abs(dy)) * (width - abs(dx)) for dy, dx in given
    )
    steps = torch.tensor([dy * width + dx for dy, dx in moves], device=affinity.device)
    cells = torch.arange(height * width, device=affinity.device)
    ends = inside.sum(dim=2).flatten().cumsum(0, dtype=torch.int32)
    # What lies outside is written to one place behind the end.
    places = inside.flatten().cumsum(0).sub_(1).masked_fill_(~inside.flatten(), number_inside)
    # 32 bits: half the memory of the indices, and faster products.
    column = ends.new_empty(number_inside + 1)
    column.scatter_(0, places, (cells[:, None] + steps).flatten().to(torch.int32))
    value = weight.new_empty(number_inside + 1).scatter_(0, places, weight.flatten())
    size = (height * width, height * width)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Sparse CSR tensor support is in beta')
        return torch.sparse_csr_tensor(
            torch.cat([ends.new_zeros(1), ends]), column[:-1], value[:-1], size,
            check_invariants=False,
        )  # fmt: skip


@torch.no_grad()
def random_walk(
    scores: Tensor,
    affinity: Tensor,
    offsets: Tensor,
    *,
    beta: float,
    steps: int,
    method: str = 'exact',
    tolerance: float = 1e-5,
) -> Tensor:
    """Spread class scores by ``steps`` steps of a random walk without the dense matrix.

    Equal to ``scores @ T ** steps`` with ``T`` the symmetric affinities to the power ``beta``, ones on the diagonal,
    divided by their column sums ``d``. Time is O(steps K O h w) and memory O((K + O) h w).

    ``method='chebyshev'`` replaces ``x ** steps`` by its Chebyshev series, cut at the first degree n whose remaining
    coefficients add up to at most ``tolerance``: the chance that ``steps`` tosses of a fair coin differ by more than n
    between heads and tails, at most ``2 exp(-n^2 / (2 steps))``. This takes n products instead of ``steps`` (34
    for 64 and 70 for 256). ``T`` is similar to a symmetric matrix with eigenvalues in [-1, 1], hence the error e of a
    row of scores s obeys ``sum(e^2 / d) <= tolerance^2 sum(s^2 / d)`` with sums over cells, that is
    ``|e_i| <= tolerance sqrt(d_i sum(s^2 / d))``.

    Args:
        scores: (K, h, w) of the background and the present classes.
        affinity: (O, h, w) symmetric affinity of each cell and its neighbour at each offset; 0 where that lies outside.
        offsets: (O, 2) of (dy, dx), from :func:`mmppc.functional.affinity.neighbour_offsets`, on the CPU.
        beta: Exponent of the affinities; PSA 8, IRN 10.
        steps: Length of the walk; PSA 2 ** 6 to 2 ** 8, IRN 2 ** 8.
        method: ``exact`` takes every step, ``chebyshev`` approximates all of them.
        tolerance: Of ``chebyshev``.

    Returns:
        (K, h, w), in float32 at least, whatever the autocast.

    Raises:
        ValueError: The grids differ, ``steps`` is negative, ``tolerance`` is not in [0, 1), or ``method`` is unknown.
    """
    if scores.shape[1:] != affinity.shape[1:] or len(offsets) != len(affinity):
        raise ValueError(
            f'scores {tuple(scores.shape)}, affinity {tuple(affinity.shape)} and {len(offsets)} offsets do not fit'
        )
    if steps < 0:
        raise ValueError(f'steps must not be negative, got {steps}')
    if method not in METHODS:
        raise ValueError(f'method must be one of {METHODS}, got {method!r}')
    if not 0 <= tolerance < 1:
        raise ValueError(f'tolerance must be in [0, 1), got {tolerance}')
    dtype = torch.promote_types(torch.promote_types(scores.dtype, affinity.dtype), torch.float32)
    with torch.autocast(scores.device.type, enabled=False):
        step = _product(transition(affinity.to(dtype), offsets, beta))
        state = scores.to(dtype).flatten(1).t().contiguous()
        if method == 'exact':
            for _ in range(steps):
                state = step(state)
        else:
            state = _series(step, state, chebyshev_coefficients(steps, tolerance))
    return state.t().reshape(scores.shape)


def chebyshev_coefficients(steps: int, tolerance: float) -> list[float]:
    """Coefficients c_0 .. c_n of x ** ``steps`` in Chebyshev polynomials, those left out adding up to ``tolerance``.

    c_k = 2 ** (1 - steps) binomial(steps, (steps - k) / 2) where k and ``steps`` are both even or both odd, half of it
    for k = 0, and 0 elsewhere.

    >>> chebyshev_coefficients(2, 0.0)
    [0.5, 0.0, 0.5]
    """
    coefficients = [0.0] * (steps + 1)
    for k in range(steps % 2, steps + 1, 2):
        ways = math.comb(steps, (steps - k) // 2)
        coefficients[k] = ways / 2**steps * (2 if k else 1)
    rest = 0.0
    while len(coefficients) > 1 and rest + coefficients[-1] <= tolerance:
        rest += coefficients.pop()
    return coefficients


def _series(step: Callable[[Tensor], Tensor], state: Tensor, coefficients: list[float]) -> Tensor:
    """Sum of c_k T_k(M) state by the three-term recurrence, M being ``step``."""
    total = coefficients[0] * state
    former, current = state, state
    for degree, coefficient in enumerate(coefficients[1:], start=1):
        following = step(current)
        if degree > 1:
            following = following.mul_(2).sub_(former)
        former, current = current, following
        if coefficient:
            total = total.add_(current, alpha=coefficient)
    return total


def _product(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    """Multiplication by a CSR matrix; by scipy where torch has no sparse kernels (a CPU without MKL)."""
    if matrix.device.type != 'cpu' or torch.backends.mkl.is_available():
        return lambda state: matrix @ state
    from scipy.sparse import csr_matrix

    parts = (matrix.values(), matrix.col_indices(), matrix.crow_indices())
    there = csr_matrix(tuple(part.numpy() for part in parts), shape=tuple(matrix.shape))
    return lambda state: torch.from_numpy(there @ state.numpy())
