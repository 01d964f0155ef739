"""Quality of pseudo labels and prototypes, against loops and by hand."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from mmppc.functional.contrast_quality import (
    count_quality,
    prototype_pixels,
    quality_figures,
    settle_truth,
    single_figures,
    truth_maps,
)
from mmppc.functional.prototypes import estimate_prototypes
from tests.reference.contrast_quality import literal_quality


def same(found: Any, expected: Any, where: str = '') -> None:
    """Compare nested figures."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected:
            same(found[key], expected[key], f'{where}/{key}')
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, item in enumerate(expected):
            same(found[index], item, f'{where}/{index}')
    else:
        assert found == (None if expected is None else pytest.approx(expected, abs=1e-6)), where


def drawn(seed: int, pixels: int = 60, classes: int = 5, topk: int = 4) -> dict[str, Any]:
    """A view with ignored cells, unknown truth, a class without prototype and one without truth."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(pixels, 6, generator=generator)
    labels = torch.randint(classes - 1, (pixels,), generator=generator)
    truth = torch.where(
        torch.rand(pixels, generator=generator) < 0.6,
        labels,
        torch.randint(1, classes, (pixels,), generator=generator),
    )
    scores = torch.rand(pixels, classes, generator=generator)
    candidates = labels[:, None] == torch.arange(classes)
    candidates[:, 2] = False
    prototypes, valid = estimate_prototypes(features, scores, candidates, topk)
    picked = prototype_pixels(scores, candidates, topk)
    truth[::7] = 255
    labels[::11] = 255
    return dict(
        embeddings=F.normalize(features), labels=labels, prototypes=prototypes, valid=valid,
        truth=truth, picked=picked,
    )  # fmt: skip


def literal(view: dict[str, Any]) -> dict[str, Any]:
    index, exists = view['picked']
    places = [
        [int(p) for p, there in zip(index[:, c], exists[:, c]) if there]
        for c in range(len(view['valid']))
    ]
    arrays = {k: v.double().numpy() for k, v in view.items() if k in ('embeddings', 'prototypes')}
    lists = {k: view[k].tolist() for k in ('labels', 'valid', 'truth')}
    return literal_quality(**arrays, **lists, picked=places)


@pytest.mark.parametrize('seed', range(4))
def test_figures_are_those_of_the_loops(seed: int) -> None:
    view = drawn(seed)
    assert view['valid'].tolist() == [True, True, False, True, False]
    same(quality_figures(count_quality(**view)), literal(view))


def test_one_class_and_no_truth() -> None:
    view = drawn(0)
    view['labels'][:] = 1
    view['truth'][:] = 1
    view['valid'] = torch.tensor([False, True, False, False, False])
    found = quality_figures(count_quality(**view))
    same(found, literal(view))
    assert found['nearest_true'] == 1
    assert found['cosine_other'] is None
    assert found['cosine_margin'] is None
    view['truth'][:] = 255
    found = quality_figures(count_quality(**view))
    assert set(single_figures(found).values()) == {None}
    assert found['prototype_similarity'][1][1] == pytest.approx(1)


def test_sums_of_batches_are_those_of_all_pixels() -> None:
    first, second = drawn(1), drawn(2, pixels=90)
    total = quality_figures(count_quality(**first) + count_quality(**second))
    right = known = 0
    for view in (first, second):
        seen = (view['truth'] != 255) & (view['labels'] != 255)
        right += int((view['truth'] == view['labels'])[seen].sum())
        known += int(seen.sum())
    assert total['label_accuracy'] == pytest.approx(right / known)
    pair = [float(v['prototypes'][0] @ v['prototypes'][3]) for v in (first, second)]
    assert total['prototype_similarity'][3][0] == pytest.approx(sum(pair) / 2, abs=1e-6)


def test_a_network_that_has_diverged_gives_no_numbers() -> None:
    view = drawn(3)
    view['embeddings'] = torch.full_like(view['embeddings'], float('nan'))
    view['prototypes'] = torch.full_like(view['prototypes'], float('nan'))
    found = quality_figures(count_quality(**view))
    assert found['label_accuracy'] is not None
    assert found['cosine_own'] is None
    assert found['prototype_similarity_mean'] is None


def test_prototype_pixels_are_the_ones_that_make_it() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(40, 8, generator=generator)
    scores = torch.rand(40, 3, generator=generator)
    candidates = torch.rand(40, 3, generator=generator) < 0.5
    candidates[:, 1] = False
    candidates[5:7, 1] = True  # fewer than topk
    candidates[:, 2] = False
    index, exists = prototype_pixels(scores, candidates, 6)
    assert exists.sum(dim=0).tolist() == [6, 2, 0]
    prototypes, _ = estimate_prototypes(features, scores, candidates, 6)
    for c in (0, 1):
        places = index[exists[:, c], c]
        weighted = (features[places] * scores[places, c, None]).sum(dim=0)
        assert torch.allclose(F.normalize(weighted, dim=0), prototypes[c], atol=1e-6)


def test_truth_of_a_coarse_cell() -> None:
    truth = torch.full((1, 5, 5), 255)
    truth[0, :, :2] = 0
    truth[0, :, 2:] = 2
    truth[0, 4] = 255
    maps = truth_maps(truth, 3)
    assert maps.sum() == 20
    cells = settle_truth(F.interpolate(maps, size=(3, 3), mode='bilinear', align_corners=True))
    assert cells.tolist() == [[[0, 2, 2], [0, 2, 2], [255, 255, 255]]]
