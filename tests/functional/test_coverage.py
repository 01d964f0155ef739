"""Regions of pixels that count: on coarser grids, and in every loss that takes one."""

import pytest
import torch

from mmppc.functional.cam import map_range, min_max_normalize
from mmppc.functional.classification import pool_maps, tag_classification
from mmppc.functional.contrast import pixel_prototype_contrast
from mmppc.functional.coverage import valid_cells
from mmppc.functional.equivariance import max_norm, minimum_pooling, seam_losses
from tests.functional.test_contrast import PRESETS, dense_labels, random_batch

ROWS, COLUMNS = slice(1, 6), slice(2, 6)  # the region, of maps with 6 rows and 7 columns


def region(num: int) -> torch.Tensor:
    valid = torch.zeros(num, 1, 6, 7, dtype=torch.bool)
    valid[:, :, ROWS, COLUMNS] = True
    return valid


def cut(maps: torch.Tensor) -> torch.Tensor:
    return maps[..., ROWS, COLUMNS]


@pytest.mark.parametrize(
    ('size', 'grid'),
    [((13, 17), (4, 5)), ((448, 448), (56, 56)), ((9, 8), (1, 8)), ((6, 6), (9, 9))],
)
def test_cells_are_valid_if_all_their_pixels_are(size: tuple, grid: tuple) -> None:
    generator = torch.Generator().manual_seed(0)
    valid = torch.rand(2, 1, *size, generator=generator) > 2 / (size[0] * size[1])
    valid[1, :, : size[0] // 3] = False
    found = valid_cells(valid, grid)
    assert found.shape == (2, 1, *grid)
    assert found.any()
    assert not found.all()

    def members(length: int, cells: int, k: int) -> list[int]:
        """Pixels that have a part, from half a pixel before to half a pixel after, in cell ``k``."""
        if cells == 1:
            return list(range(length))
        step = (length - 1) / (cells - 1)
        low, high = (k - 0.5) * step, (k + 0.5) * step
        return [p for p in range(length) if p + 0.5 > low + 1e-9 and p - 0.5 < high - 1e-9]

    for i in range(0, grid[0], max(grid[0] // 7, 1)):
        for j in range(0, grid[1], max(grid[1] // 7, 1)):
            area = valid[:, 0][:, members(size[0], grid[0], i)][:, :, members(size[1], grid[1], j)]
            assert torch.equal(found[:, 0, i, j], area.flatten(1).all(dim=1))


def test_everything_valid_is_everywhere_valid() -> None:
    for grid in ((1, 1), (3, 4), (10, 12), (20, 30)):
        assert valid_cells(torch.ones(1, 1, 10, 12, dtype=torch.bool), grid).all()


def test_extremes_are_of_the_region() -> None:
    maps = torch.randn(3, 4, 6, 7).relu()
    low, high = map_range(maps, region(3))
    assert torch.equal(low.flatten(1), cut(maps).amin(dim=(2, 3)))
    assert torch.equal(high.flatten(1), cut(maps).amax(dim=(2, 3)))
    low, high = map_range(maps, torch.zeros_like(region(3)))
    assert low.abs().max() == high.abs().max() == 0


@pytest.mark.parametrize('normalise', [max_norm, min_max_normalize])
def test_normalisation_of_a_region_is_that_of_the_cut(normalise) -> None:
    maps = torch.randn(3, 4, 6, 7, dtype=torch.float64).requires_grad_()
    weights = torch.randn(3, 4, 5, 4, dtype=torch.float64)
    inside, expected = cut(normalise(maps, valid=region(3))), normalise(cut(maps))
    assert torch.equal(inside, expected)
    got = torch.autograd.grad((inside * weights).sum(), maps, retain_graph=True)
    want = torch.autograd.grad((expected * weights).sum(), maps)
    torch.testing.assert_close(got, want)


def test_averages_of_a_region_are_those_of_the_cut() -> None:
    maps = torch.randn(3, 4, 6, 7, dtype=torch.float64)
    torch.testing.assert_close(pool_maps(maps, valid=region(3)), pool_maps(cut(maps)))
    everywhere = torch.ones(3, 1, 12, 9, dtype=torch.bool)
    torch.testing.assert_close(pool_maps(maps, (12, 9), valid=everywhere), pool_maps(maps, (12, 9)))
    tags = torch.eye(3)
    loss = tag_classification(maps, tags, size=(6, 7), valid=region(3))
    torch.testing.assert_close(loss, tag_classification(cut(maps), tags))
    nowhere = tag_classification(maps, tags, valid=torch.zeros_like(region(3)))
    assert nowhere.item() == pytest.approx(0.693147, abs=1e-6)


def test_minimum_pooling_of_a_region_is_that_of_the_cut() -> None:
    refined, tags = torch.randn(3, 4, 6, 7, dtype=torch.float64), torch.eye(3)
    torch.testing.assert_close(
        minimum_pooling(refined, tags, region(3)), minimum_pooling(cut(refined), tags)
    )


def seam_maps() -> tuple[list[torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    maps = [
        torch.randn(3, 4, 6, 7, generator=generator, dtype=torch.float64).requires_grad_()
        for _ in range(4)
    ]
    return maps, torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 1, 1]])


def test_equivariance_of_a_region_is_that_of_the_cut() -> None:
    maps, tags = seam_maps()
    losses = seam_losses(tuple(maps[:2]), tuple(maps[2:]), tags, lambda m: m, region(3))
    parts = [cut(value) for value in maps]
    expected = seam_losses(tuple(parts[:2]), tuple(parts[2:]), tags, lambda m: m)
    for name in ('loss_er', 'loss_ecr'):
        torch.testing.assert_close(losses[name], expected[name])
        got = torch.autograd.grad(losses[name], maps, retain_graph=True, allow_unused=True)
        want = torch.autograd.grad(expected[name], maps, retain_graph=True, allow_unused=True)
        for first, second in zip(got, want):
            assert (first is None) == (second is None)
            if first is not None:
                torch.testing.assert_close(first, second)
    # The first view's own pooling knows no region.
    pooled = minimum_pooling(maps[2], tags) + minimum_pooling(parts[3], tags)
    torch.testing.assert_close(losses['loss_min_pool'], pooled / 2)


def test_pictures_weigh_alike_however_much_of_them_is_seen() -> None:
    maps, tags = seam_maps()
    valid = region(3)
    valid[1, :, 3:] = False
    valid[2] = False
    together = seam_losses(tuple(maps[:2]), tuple(maps[2:]), tags, lambda m: m, valid)
    singly = [
        seam_losses(
            (maps[0][k : k + 1], maps[1][k : k + 1]),
            (maps[2][k : k + 1], maps[3][k : k + 1]),
            tags[k : k + 1],
            lambda m: m,
            valid[k : k + 1],
        )
        for k in range(3)
    ]
    for name, loss in together.items():
        torch.testing.assert_close(loss, sum(one[name] for one in singly) / 3)
    assert singly[2]['loss_er'] == singly[2]['loss_ecr'] == 0


CHOICES = [
    {},
    {'proto_candidates': 'tagged', 'bg_conf': 'constant'},
    {'proto_candidates': 'all', 'absent': 'include', 'intra_reduction': 'pixel'},
    {'prototype_mining': False, 'pixel_sampling': False},
]


@pytest.mark.parametrize('preset', PRESETS)
@pytest.mark.parametrize('dense', [False, True])
@pytest.mark.parametrize('options', CHOICES, ids=str)
def test_contrast_of_a_region_is_that_of_the_cut(preset: str, dense: bool, options: dict) -> None:
    features, cams, tags, _ = random_batch(seed=40, height=6, width=7)
    generator = torch.Generator().manual_seed(0)
    keys = [torch.rand(3, 6, 7, generator=generator, dtype=torch.float64) for _ in range(2)]
    labels = dense_labels(7, 3, 6, 7) if dense else None
    small = {'random_keys': [cut(key).flatten() for key in keys]}
    full = {'random_keys': [key.flatten() for key in keys], 'valid': region(3).squeeze(1)}
    if labels is not None:
        small['labels'] = [cut(label) for label in labels]
        full['labels'] = labels
    # What ties is taken in torch.topk's order, which depends on the number of pixels: confidences of the background
    # are equal under the constant, so all pixels make its prototype.
    options = dict(topk=1000, preset=preset, **options)
    losses = pixel_prototype_contrast(features, cams, tags, **full, **options)
    expected = pixel_prototype_contrast(
        [cut(f) for f in features], [cut(c) for c in cams], tags, **small, **options
    )
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name], msg=name)
    got = torch.autograd.grad(sum(losses.values()), features)
    want = torch.autograd.grad(sum(expected.values()), features)
    for first, second in zip(got, want):
        torch.testing.assert_close(first, second)
        assert torch.all(first.masked_select(~region(3)) == 0)


def test_contrast_refuses_a_region_of_another_grid() -> None:
    features, cams, tags, _ = random_batch(seed=41)
    with pytest.raises(ValueError, match='valid must be'):
        pixel_prototype_contrast(features, cams, tags, valid=torch.ones(3, 4, 3).bool())
