"""Pixel-adaptive refinement against its literal form, and what it must keep."""

import numpy as np
import pytest
import torch

from mmppc.functional.pamr import pixel_adaptive_refinement
from tests.reference.pamr import literal_pamr


def picture(height=11, width=14, seed=0):
    """Noisy whole grey levels in two areas, (3, H, W) float64."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.randint(0, 30, (3, height, width), generator=generator).double()
    colours[:, :, width // 2 :] += 150
    return colours


def maps(*shape, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    'options',
    [
        {'iterations': 2},
        {'iterations': 1, 'dilations': (1,)},
        {'iterations': 3, 'dilations': (1, 3), 'colour_scale': 1.5},
        {'iterations': 1, 'position_scale': 2.0, 'position_weight': 0.7},
        {'iterations': 1, 'position_weight': 0},
    ],
)
def test_literal(options):
    image, scores = picture(), maps(3, 11, 14)
    expected = literal_pamr(image.numpy(), scores.numpy(), **options)
    found = pixel_adaptive_refinement(image, scores, **options)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
    single = pixel_adaptive_refinement(image.float(), scores.float(), **options)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), expected, atol=1e-5)


def test_defaults_are_the_published_numbers():
    image, scores = picture(7, 8), maps(2, 7, 8)
    expected = literal_pamr(image.numpy(), scores.numpy(), 10, (1, 2, 4, 8, 12, 24), 0.3, 0.3, 0.01)
    np.testing.assert_allclose(pixel_adaptive_refinement(image, scores), expected, atol=1e-12)


def test_a_pixel_between_two_colours_by_hand():
    # Middle of 3x3: four neighbours of its own grey (d = 0), four 10 brighter. With n = 8 the variance is 200 / 7, so
    # the exponent of the others is -(10 / 0.5)^2 / (200 / 7) = -14.
    image = torch.full((3, 3, 3), 100.0, dtype=torch.float64)
    image[:, [0, 0, 2, 2], [0, 2, 0, 2]] = 110
    scores = torch.zeros(1, 3, 3, dtype=torch.float64)
    scores[0, 0, 0] = 1
    options = {'dilations': (1,), 'iterations': 1, 'colour_scale': 0.5, 'position_weight': 0}
    found = pixel_adaptive_refinement(image, scores, **options)[0, 1, 1].item()
    assert found == pytest.approx(np.exp(-14) / (4 + 4 * np.exp(-14)), rel=1e-6)


def test_constant_maps_stay_and_classes_keep_their_sum():
    image = picture(20, 30).float()
    constant = torch.full((2, 20, 30), 0.37)
    torch.testing.assert_close(pixel_adaptive_refinement(image, constant), constant)
    scores = maps(4, 20, 30).softmax(dim=0).float()
    refined = pixel_adaptive_refinement(image, scores)
    torch.testing.assert_close(refined.sum(dim=0), torch.ones(20, 30))
    assert (refined - scores).abs().max() > 0.1
    assert scores.min() <= refined.min()
    assert refined.max() <= scores.max()


def test_a_noisy_mask_snaps_to_the_edge_of_the_colours():
    image = picture(40, 60).float()
    truth = torch.zeros(40, 60, dtype=torch.long)
    truth[:, 30:] = 1
    mask = torch.zeros(40, 60)
    mask[:, 35:] = 1  # five columns beside the edge
    generator = torch.Generator().manual_seed(5)
    flipped = torch.rand(40, 60, generator=generator) < 0.15
    mask[flipped] = 1 - mask[flipped]
    scores = torch.stack([1 - mask, mask])
    assert (scores.argmax(dim=0) == truth).float().mean() < 0.85
    near = {'dilations': (1, 2, 4, 8)}
    right = pixel_adaptive_refinement(image, scores, **near).argmax(dim=0) == truth
    assert right.float().mean() > 0.96  # what is left is noise that agrees by chance
    assert right[:, 26:35].float().mean() > 0.99
    # In a picture of one colour nothing says where the edge is.
    flat = torch.full_like(image, 9.0)
    right = pixel_adaptive_refinement(flat, scores, **near).argmax(dim=0) == truth
    assert right[:, 30:35].float().mean() < 0.1


@pytest.mark.parametrize('size', [(1, 1), (1, 5), (7, 300), (2, 2)])
def test_any_size(size):
    generator = torch.Generator().manual_seed(2)
    image = torch.randint(0, 256, (3, *size), generator=generator).float()
    scores = maps(2, *size).float()
    refined = pixel_adaptive_refinement(image, scores, iterations=3)
    assert refined.shape == scores.shape
    assert refined.isfinite().all()
    if size == (1, 1):
        torch.testing.assert_close(refined, scores)


@pytest.mark.parametrize('level', [0.0, 255.0, 0.1])
def test_one_colour_is_a_mean_without_nan(level):
    image, scores = torch.full((3, 9, 9), level), maps(1, 9, 9).float()
    options = {'dilations': (1,), 'iterations': 1, 'position_weight': 0}
    refined = pixel_adaptive_refinement(image, scores, **options)
    mean = (scores[0, 3:6, 3:6].sum() - scores[0, 4, 4]) / 8
    torch.testing.assert_close(refined[0, 4, 4], mean)
    # So is a single pixel that differs from neighbours which do not.
    image[:, 4, 4] = 200
    refined = pixel_adaptive_refinement(image, scores, **options)
    torch.testing.assert_close(refined[0, 4, 4], mean)
    assert refined.isfinite().all()


def test_batches_are_the_pictures_one_by_one():
    images = torch.stack([picture(seed=3), picture(seed=4)])
    scores = maps(2, 5, 3, 11, 14)
    both = pixel_adaptive_refinement(images, scores, iterations=2)
    for image, stack, found in zip(images, scores, both):
        expected = pixel_adaptive_refinement(image, stack, iterations=2)
        torch.testing.assert_close(found, expected)
        single = pixel_adaptive_refinement(image, stack[2], iterations=2)
        torch.testing.assert_close(found[2], single)


def test_dtypes_and_nothing_to_do():
    image, scores = picture().float(), maps(2, 11, 14).half()
    refined = pixel_adaptive_refinement(image, scores, iterations=2)
    assert refined.dtype == torch.float16
    exact = pixel_adaptive_refinement(image, scores.float(), iterations=2)
    torch.testing.assert_close(refined.float(), exact, atol=1e-3, rtol=0)
    before = scores.clone()
    assert torch.equal(pixel_adaptive_refinement(image, scores, iterations=0), before)
    assert torch.equal(scores, before)
    assert pixel_adaptive_refinement(image, scores[:0]).shape == (0, 11, 14)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'image': torch.zeros(1, 4, 5)}, r'image \(1, 4, 5\) torch.float32, expected \(3, H, W\)'),
        ({'image': torch.zeros(3, 4, 5, dtype=torch.uint8)}, 'torch.uint8, expected'),
        ({'scores': torch.zeros(2, 4, 6)}, r'scores \(2, 4, 6\) for an image \(3, 4, 5\)'),
        ({'image': torch.zeros(3, 3, 4, 5), 'scores': torch.zeros(2, 2, 4, 5)}, 'for an image'),
        ({'scores': torch.zeros(4, 5)}, r'scores \(4, 5\) torch.float32, expected floats'),
        ({'scores': torch.zeros(2, 4, 5, dtype=torch.long)}, 'torch.int64, expected floats'),
        ({'dilations': ()}, r'dilations=\(\), expected'),
        ({'dilations': (1, 0)}, r'dilations=\(1, 0\)'),
        ({'iterations': -1}, 'iterations=-1'),
        ({'colour_scale': 0}, 'colour_scale=0, '),
        ({'position_weight': -0.1}, 'position_weight=-0.1, expected'),
    ],
)
def test_wrong_input(change, message):
    given = {'image': torch.zeros(3, 4, 5), 'scores': torch.zeros(2, 4, 5), **change}
    with pytest.raises(ValueError, match=message):
        pixel_adaptive_refinement(given.pop('image'), given.pop('scores'), **given)
