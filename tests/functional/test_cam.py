import pytest
import torch

from mmppc.functional.cam import (
    background_score,
    min_max_normalize,
    pseudo_labels,
    with_background,
)
from tests.functional.golden import contrast_inputs
from tests.reference.contrast import literal_confidences, literal_min_max

# pixels of each label in the two views of the golden inputs
LABEL_COUNTS = ({0: 126, 3: 75, 8: 197, 15: 114}, {0: 146, 3: 109, 8: 170, 15: 87})


def random_maps(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, 4, 3, 5, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize('clamp', [True, False])
@pytest.mark.parametrize('view', [0, 1])
def test_golden_label_counts(view, clamp):
    _, cams, tags = contrast_inputs()
    scores = min_max_normalize(cams[view], clamp=clamp)
    labels = pseudo_labels(scores, tags, 0.2)
    values, counts = labels.unique(return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist())) == LABEL_COUNTS[view]
    literal, _ = literal_confidences(
        cams[view], tags, clamp=clamp, bg_threshold=0.2, bg_conf='constant'
    )
    assert labels.flatten().tolist() == literal


class TestMinMaxNormalize:
    @pytest.mark.parametrize('clamp', [True, False])
    def test_literal(self, clamp):
        maps = random_maps()
        maps[0, 1] = 0
        maps[0, 2] = 3
        maps[1, 0] = -2
        maps[1, 1] = maps[1, 1].abs() + 1
        scores = min_max_normalize(maps, clamp=clamp)
        for score, raw in zip(scores.flatten(0, 1), maps.flatten(0, 1)):
            expected = torch.tensor(literal_min_max(raw.flatten().tolist(), clamp))
            torch.testing.assert_close(score.flatten(), expected.double(), rtol=1e-6, atol=1e-6)

    def test_empty_map_is_minus_one_as_published(self):
        empty = torch.zeros(1, 1, 4, 4)
        assert torch.equal(min_max_normalize(empty, clamp=False), torch.full_like(empty, -1.0))
        assert torch.equal(min_max_normalize(empty), empty)

    def test_range(self):
        scores = min_max_normalize(random_maps(1) * 100)
        assert scores.min() == 0
        assert 0.999 < scores.max() <= 1

    def test_one_pixel(self):
        assert min_max_normalize(torch.tensor([[[[7.0]]]])).item() == 0

    def test_three_axes(self):
        maps = random_maps(2)
        assert torch.equal(min_max_normalize(maps)[1], min_max_normalize(maps[1]))


class TestPseudoLabels:
    def test_absent_class_never_wins(self):
        scores = torch.ones(2, 4, 2, 2)
        tags = torch.tensor([[0.0, 0, 1], [0, 0, 0]])
        labels = pseudo_labels(scores, tags, 0.2)
        assert torch.equal(labels[0], torch.full((2, 2), 3))
        assert torch.equal(labels[1], torch.zeros(2, 2, dtype=torch.long))

    def test_threshold_replaces_channel_0(self):
        scores = torch.tensor([[9.0, 0.3, 0.19]]).view(1, 3, 1, 1)
        tags = torch.ones(1, 2)
        assert pseudo_labels(scores, tags, 0.2).item() == 1
        assert pseudo_labels(scores, tags, 0.31).item() == 0

    def test_ties_go_to_the_lower_class(self):
        scores = torch.full((1, 3, 1, 1), 0.2)
        assert pseudo_labels(scores, torch.ones(1, 2), 0.2).item() == 0
        assert pseudo_labels(scores, torch.ones(1, 2), 0.1).item() == 1

    def test_leaves_the_scores(self):
        scores = torch.rand(1, 3, 2, 2)
        before = scores.clone()
        pseudo_labels(scores, torch.ones(1, 2), 0.2)
        assert torch.equal(scores, before)


def test_with_background():
    tags = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    assert with_background(tags).tolist() == [[1, 0, 1], [1, 0, 0]]
    assert with_background(tags).dtype == tags.dtype


class TestBackgroundScore:
    def test_values(self):
        scores = torch.tensor([[[0.5, 0.0, 1.0]], [[0.25, 0.0, 0.1]]], dtype=torch.float64)
        expected = torch.tensor([[0.5**4, 1.0, 0.0]], dtype=torch.float64)
        torch.testing.assert_close(background_score(scores, alpha=4), expected)
        expected = torch.tensor([[0.5**0.5, 1.0, 0.0]], dtype=torch.float64)
        torch.testing.assert_close(background_score(scores, alpha=0.5), expected)

    def test_constant(self):
        score = background_score(torch.rand(3, 2, 4), constant=0.26)
        assert torch.equal(score, torch.full((2, 4), 0.26))
        assert torch.equal(background_score(torch.rand(0, 2, 4), constant=0.26), score)

    def test_no_tag_is_all_background(self):
        assert torch.equal(background_score(torch.rand(0, 2, 4), alpha=16), torch.ones(2, 4))

    def test_out_of_range_scores_give_no_nan(self):
        scores = torch.tensor([[1.0001, -1.0]])
        assert background_score(scores, alpha=2.5).tolist() == [0, 1]

    @pytest.mark.parametrize(
        ('options', 'message'),
        [
            ({}, 'expected one of alpha and constant, got alpha=None, constant=None'),
            ({'alpha': 4, 'constant': 0.2}, 'got alpha=4, constant=0.2'),
            ({'alpha': 0}, 'alpha=0, expected more than 0'),
            ({'alpha': float('nan')}, 'alpha=nan'),
            ({'constant': 1.2}, 'constant=1.2, expected 0 .. 1'),
        ],
    )
    def test_wrong_options(self, options, message):
        with pytest.raises(ValueError, match=message):
            background_score(torch.rand(1, 2, 2), **options)
