"""Neighbour geometry, affinities and pair labels."""

import math

import pytest
import torch

from mmppc.functional.affinity import (
    boundary_affinity,
    feature_affinity,
    neighbour_offsets,
    pair_mask,
    path_cells,
)
from tests.reference.affinity import gathered_boundary_affinity, gathered_feature_affinity


def test_offsets_of_psa_and_irn() -> None:
    offsets = neighbour_offsets(5)
    assert len(offsets) == 34
    assert offsets[:5].tolist() == [[0, 1], [0, 2], [0, 3], [0, 4], [1, -4]]
    assert len(neighbour_offsets(10)) == 152
    lengths = {len(path_cells(dy, dx)) for dy, dx in neighbour_offsets(10).tolist()}
    assert len(lengths) == 20
    assert (min(lengths), max(lengths)) == (2, 22)
    assert {len(path_cells(*offset)) for offset in offsets.tolist()} >= {2, 11}
    with pytest.raises(ValueError, match='at least 1'):
        neighbour_offsets(0)


def test_path_starts_at_the_destination_and_ends_at_the_origin() -> None:
    cells = path_cells(2, -1)
    assert cells[0] == (2, -1)
    assert cells[-1] == (0, 0)
    assert set(path_cells(0, 3)) == {(0, 0), (0, 1), (0, 2), (0, 3)}


@pytest.mark.parametrize('size', [(7, 9), (1, 1), (3, 40), (2, 2)])
def test_affinities_by_their_definition(size: tuple[int, int]) -> None:
    height, width = size
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(6, height, width, generator=generator, dtype=torch.float64)
    edge = torch.rand(height, width, generator=generator, dtype=torch.float64)
    offsets = neighbour_offsets(5)
    similar, open_way = feature_affinity(features, offsets), boundary_affinity(edge, offsets)
    for index, (dy, dx) in enumerate(offsets.tolist()):
        for y in range(height):
            for x in range(width):
                if not (0 <= y + dy < height and 0 <= x + dx < width):
                    assert similar[index, y, x] == open_way[index, y, x] == 0
                    continue
                distance = (features[:, y, x] - features[:, y + dy, x + dx]).abs().mean()
                assert float(similar[index, y, x]) == pytest.approx(math.exp(-distance), abs=1e-12)
                strongest = max(float(edge[y + py, x + px]) for py, px in path_cells(dy, dx))
                assert float(open_way[index, y, x]) == pytest.approx(1 - strongest, abs=1e-12)


@pytest.mark.parametrize('radius', [3, 5])
def test_values_and_gradients_of_the_published_form(radius: int) -> None:
    generator = torch.Generator().manual_seed(1)
    offsets = neighbour_offsets(radius)
    features = torch.randn(2, 6, 11, 13, generator=generator, dtype=torch.float64)
    edge = torch.rand(2, 11, 13, generator=generator, dtype=torch.float64)
    mask = pair_mask(offsets, 11, 13, 'published')
    for source, shifted, gathered in (
        (features, feature_affinity, gathered_feature_affinity),
        (edge, boundary_affinity, gathered_boundary_affinity),
    ):
        ours, theirs = source.clone().requires_grad_(), source.clone().requires_grad_()
        found, expected = shifted(ours, offsets)[:, mask], gathered(theirs, offsets).flatten(1)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)
        weight = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
        (found * weight).sum().backward()
        (expected * weight).sum().backward()
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-13)


def test_equal_edges_send_the_gradient_to_one_cell() -> None:
    offsets = torch.tensor([[0, 3]])
    edge = torch.full((1, 5), 0.5, requires_grad=True)
    boundary_affinity(edge, offsets)[0, 0, 0].backward()
    assert edge.grad is not None
    assert edge.grad.tolist() == [[0, 0, 0, -1, 0]]


def test_borders() -> None:
    offsets = neighbour_offsets(5)
    published = pair_mask(offsets, 56, 56, 'published')
    assert published[0].sum() == 2496
    assert torch.equal(published[0], published[-1])
    # Degree of each cell: 69 inside with itself, and no cell is alone with the full border.
    full = pair_mask(offsets, 47, 63)
    degree = torch.ones(47, 63)
    for index, (dy, dx) in enumerate(offsets.tolist()):
        first = full[index]
        degree += first
        degree += first.roll((dy, dx), (0, 1))
    assert degree[20, 30] == 69
    assert degree.min() > 1
    with pytest.raises(ValueError, match='border must be'):
        pair_mask(offsets, 5, 5, 'none')
    assert not pair_mask(offsets, 3, 3, 'published').any()
