import pytest
import torch

from mmppc.functional.cam import min_max_normalize
from mmppc.functional.prototypes import estimate_prototypes, top_pixels
from tests.functional.golden import contrast_inputs
from tests.reference.contrast import literal_prototype


def random_pixels(seed=0, pixels=30, dim=4, classes=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(pixels, dim, generator=generator, dtype=dtype)
    scores = torch.rand(pixels, classes, generator=generator, dtype=dtype)
    candidates = torch.rand(pixels, classes, generator=generator) < 0.5
    return features, scores, candidates


def unit(vector):
    return vector / vector.norm()


def test_golden():
    features, cams, _ = contrast_inputs()
    scores = min_max_normalize(cams[0], clamp=False).permute(0, 2, 3, 1).flatten(0, 2)
    pixels = features[0].detach().permute(0, 2, 3, 1).flatten(0, 2)
    everyone = torch.ones_like(scores, dtype=torch.bool)
    prototypes, valid = estimate_prototypes(pixels, scores, everyone, 32, clamp=False)
    assert valid.all()
    expected = torch.tensor([0.644208, 0.457504, 0.257082, 0.094602], dtype=torch.float64)
    torch.testing.assert_close(prototypes[8, :4], expected, rtol=0, atol=5e-7)


@pytest.mark.parametrize('clamp', [True, False])
@pytest.mark.parametrize('topk', [1, 4, 15, 30, 1000])
def test_literal(topk, clamp):
    features, scores, candidates = random_pixels()
    scores = scores + 0.1 if not clamp else scores - 0.3
    prototypes, valid = estimate_prototypes(features, scores, candidates, topk, clamp=clamp)
    assert valid.all()
    for c in range(5):
        expected = literal_prototype(
            list(features),
            scores[:, c].tolist(),
            candidates[:, c].nonzero()[:, 0].tolist(),
            topk,
            clamp,
        )
        torch.testing.assert_close(prototypes[c], expected, rtol=1e-12, atol=1e-12)


def test_is_the_weighted_mean_of_the_best_candidates():
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0], [-9.0, 0.0]])
    scores = torch.tensor([[0.9], [0.3], [0.1], [1.0]])
    candidates = torch.tensor([[True], [True], [True], [False]])
    prototypes, valid = estimate_prototypes(features, scores, candidates, 2)
    assert valid.tolist() == [True]
    torch.testing.assert_close(prototypes[0], unit(torch.tensor([0.9, 0.3])))


def test_class_without_candidate_is_not_valid():
    features, scores, candidates = random_pixels(1)
    candidates[:, 2] = False
    prototypes, valid = estimate_prototypes(features, scores, candidates, 4)
    assert valid.tolist() == [True, True, False, True, True]
    assert torch.isfinite(prototypes).all()


def test_no_candidate_at_all():
    features, scores, candidates = random_pixels(1)
    prototypes, valid = estimate_prototypes(features, scores, torch.zeros_like(candidates), 4)
    assert not valid.any()
    assert torch.isfinite(prototypes).all()


def test_all_zero_weights_count_alike():
    features, scores, candidates = random_pixels(2)
    scores[:, 1] = 0
    scores[:, 3] = -1
    prototypes, valid = estimate_prototypes(features, scores, candidates, 1000)
    assert valid.all()
    for c in (1, 3):
        torch.testing.assert_close(prototypes[c], unit(features[candidates[:, c]].mean(0)))


def test_weights_that_add_up_to_zero():
    features, scores, candidates = random_pixels(3)
    scores[:] = torch.tensor([1.0, -1.0]).repeat(15)[:, None]
    prototypes, _ = estimate_prototypes(
        features, scores, torch.ones_like(candidates), 30, clamp=False
    )
    assert torch.isfinite(prototypes).all()


@pytest.mark.parametrize('value', [-1.0, 0.2])
def test_equal_scores_of_the_published_background(value):
    """In a batch of some size topk takes equal scores from the front."""
    features, scores, candidates = random_pixels(4, pixels=2048)
    scores[:] = value
    prototypes, _ = estimate_prototypes(
        features, scores, torch.ones_like(candidates), 32, clamp=False
    )
    torch.testing.assert_close(prototypes[0], unit(features[:32].mean(0)))


def test_single_pixel():
    features, scores, candidates = random_pixels(5, pixels=1)
    candidates[:] = True
    prototypes, valid = estimate_prototypes(features, scores, candidates, 32)
    assert valid.all()
    torch.testing.assert_close(prototypes, unit(features[0]).expand(5, -1))


def test_zero_features():
    features, scores, candidates = random_pixels(6)
    prototypes, _ = estimate_prototypes(torch.zeros_like(features), scores, candidates, 4)
    assert torch.equal(prototypes, torch.zeros(5, 4, dtype=torch.float64))


def test_no_gradient():
    features, scores, candidates = random_pixels(7)
    prototypes, _ = estimate_prototypes(
        features.requires_grad_(), scores.requires_grad_(), candidates, 4
    )
    assert not prototypes.requires_grad


def test_ties_are_spread_over_the_batch_the_same_for_any_number_of_classes():
    scores = torch.zeros(512, 3)
    scores[:, 1] = torch.rand(512, generator=torch.Generator().manual_seed(0))
    scores[7, 2] = 0.5
    best, index = top_pixels(scores, 16, 'spread')
    pictures = torch.bincount(index[:, 0] // 64, minlength=8)
    assert pictures.min() >= 1  # 16 pixels of 8 pictures: each gives some
    assert index[:, 0].unique().numel() == 16
    # Without ties it is the order of the scores, as in `first`.
    assert torch.equal(index[:, 1], top_pixels(scores, 16, 'first')[1][:, 1])
    assert index[0, 2] == 7
    assert torch.equal(index[1:, 2], index[index[:, 0] != 7, 0][:15])
    assert torch.equal(best, scores.gather(0, index))
    everything, _ = top_pixels(scores, 1000, 'spread')
    assert len(everything) == 512
