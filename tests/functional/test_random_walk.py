"""The sparse walk against the dense one and the published networks' outputs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmppc.functional import random_walk as module
from mmppc.functional.affinity import boundary_affinity, feature_affinity, neighbour_offsets
from mmppc.functional.random_walk import chebyshev_coefficients, random_walk, transition
from tests.reference.walk import dense_walk, literal_walk

GOLDEN = np.load(Path(__file__).parents[1] / 'data' / 'walks.npz')
OFFSETS = neighbour_offsets(5)


def golden(name: str) -> torch.Tensor:
    return torch.from_numpy(GOLDEN[name]).double()


def assert_near(actual: torch.Tensor, expected: torch.Tensor) -> None:
    assert (actual - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize('size', [(8, 11), (1, 1), (1, 9), (3, 3)])
@pytest.mark.parametrize('log_steps', [0, 1, 6])
def test_equals_the_dense_walk(size: tuple[int, int], log_steps: int) -> None:
    generator = torch.Generator().manual_seed(1)
    affinity = torch.rand(len(OFFSETS), *size, generator=generator, dtype=torch.float64)
    scores = torch.rand(3, *size, generator=generator, dtype=torch.float64)
    actual = random_walk(scores, affinity, OFFSETS, beta=8, steps=2**log_steps)
    expected = literal_walk(scores, affinity, OFFSETS, 8, log_steps)
    torch.testing.assert_close(actual, expected, atol=1e-12, rtol=1e-10)
    sliced = dense_walk(scores, affinity, OFFSETS, 8, log_steps)
    torch.testing.assert_close(sliced, expected, atol=1e-12, rtol=1e-10)
    # Columns of the transition add up to one over the sources, so constants decay only where they should.
    assert torch.isfinite(actual).all()


def test_transition_is_the_dense_one_laid_out_in_order() -> None:
    affinity = torch.rand(34, 6, 7, generator=torch.Generator().manual_seed(1)).double()
    matrix = transition(affinity, OFFSETS, 2.0)
    columns, starts = matrix.col_indices(), matrix.crow_indices()
    for row in range(42):
        part = columns[starts[row] : starts[row + 1]]
        assert (part.diff() > 0).all()
    dense = matrix.to_dense()
    torch.testing.assert_close(dense.sum(1), torch.ones(42, dtype=torch.float64))
    unit = torch.eye(42, dtype=torch.float64).reshape(42, 6, 7)
    expected = literal_walk(unit, affinity, OFFSETS, 2.0, 0).flatten(1).t()
    torch.testing.assert_close(dense, expected, rtol=0, atol=1e-14)


def test_without_mkl_scipy_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    affinity, scores = torch.rand(34, 6, 7).double(), torch.rand(2, 6, 7).double()
    expected = random_walk(scores, affinity, OFFSETS, beta=8, steps=5)
    monkeypatch.setattr(module.torch.backends.mkl, 'is_available', lambda: False)
    found = random_walk(scores, affinity, OFFSETS, beta=8, steps=5)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize('steps', [0, 1, 2, 7, 64, 256])
def test_chebyshev_keeps_its_bound(steps: int) -> None:
    generator = torch.Generator().manual_seed(2)
    affinity = torch.rand(34, 9, 12, generator=generator).double()
    scores = torch.rand(3, 9, 12, generator=generator).double()
    expected = random_walk(scores, affinity, OFFSETS, beta=8, steps=steps)
    matrix = transition(affinity, OFFSETS, 8.0).to_dense()
    sums = 1 / matrix.diagonal()  # the diagonal was one
    for tolerance in (1e-2, 1e-5):
        found = random_walk(
            scores, affinity, OFFSETS, beta=8, steps=steps, method='chebyshev', tolerance=tolerance
        )
        error, given = (found - expected).flatten(1), scores.flatten(1)
        bound = tolerance * ((given**2 / sums).sum(1)).sqrt()
        assert ((error**2 / sums).sum(1).sqrt() <= bound + 1e-12).all()


def test_chebyshev_coefficients() -> None:
    for steps in (1, 5, 64):
        series = np.polynomial.chebyshev.Chebyshev(chebyshev_coefficients(steps, 0.0))
        points = np.linspace(-1, 1, 41)
        np.testing.assert_allclose(series(points), points**steps, atol=1e-12)
    assert [len(chebyshev_coefficients(steps, 1e-5)) - 1 for steps in (64, 256)] == [34, 70]


def test_no_step_changes_nothing() -> None:
    scores = torch.rand(2, 4, 5)
    affinity = torch.rand(len(OFFSETS), 4, 5)
    assert torch.equal(random_walk(scores, affinity, OFFSETS, beta=8, steps=0), scores)


def test_walk_on_published_affinities() -> None:
    affinity = torch.zeros(34, 12, 14, dtype=torch.float64)
    affinity[:, :8, 4:10] = golden('aff_pairs').reshape(34, 8, 6)
    actual = random_walk(golden('rw_scores'), affinity, OFFSETS, beta=8, steps=2**6)
    assert_near(actual, golden('rw_out'))


def test_walk_on_published_edges() -> None:
    edge = golden('irn_edge').sigmoid()
    scores = golden('irn_scores') * (1 - edge)
    actual = random_walk(scores, boundary_affinity(edge, OFFSETS), OFFSETS, beta=10, steps=2**8)
    assert_near(actual, golden('irn_rw'))


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match='do not fit'):
        random_walk(torch.rand(2, 4, 4), torch.rand(34, 4, 5), OFFSETS, beta=8, steps=1)
    with pytest.raises(ValueError, match='negative'):
        random_walk(torch.rand(2, 4, 5), torch.rand(34, 4, 5), OFFSETS, beta=8, steps=-1)
    with pytest.raises(ValueError, match='method'):
        random_walk(torch.rand(2, 4, 5), torch.rand(34, 4, 5), OFFSETS, beta=8, steps=1, method='a')


@pytest.mark.parametrize('method', ['exact', 'chebyshev'])
def test_walk_keeps_its_precision_under_autocast_and_of_half_inputs(method):
    scores = torch.rand(3, 6, 7, generator=torch.Generator().manual_seed(0))
    offsets = neighbour_offsets(3)
    affinity = feature_affinity(torch.rand(4, 6, 7), offsets)
    expected = random_walk(scores, affinity, offsets, beta=8, steps=32, method=method)
    with torch.autocast('cpu', torch.bfloat16):
        found = random_walk(scores, affinity, offsets, beta=8, steps=32, method=method)
    assert torch.equal(found, expected)
    half = random_walk(
        scores.bfloat16(), affinity.bfloat16(), offsets, beta=8, steps=32, method=method
    )
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, expected, rtol=0.1, atol=0.02)


@pytest.mark.parametrize('tolerance', [-1e-3, 1.0, 10, float('nan')])
def test_a_tolerance_that_would_cut_the_series_off_is_refused(tolerance):
    offsets = neighbour_offsets(2)
    affinity = torch.rand(len(offsets), 4, 4)
    with pytest.raises(ValueError, match='tolerance must be in'):
        random_walk(
            torch.rand(2, 4, 4), affinity, offsets, beta=8, steps=4, method='chebyshev',
            tolerance=tolerance,
        )  # fmt: skip
