"""The sparse walk against the dense one and the published networks' outputs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmppc.functional.affinity import boundary_affinity, neighbour_offsets
from mmppc.functional.random_walk import random_walk
from tests.reference.walk import literal_walk

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
    # Columns of the transition add up to one over the sources, so constants decay only where they should.
    assert torch.isfinite(actual).all()


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
