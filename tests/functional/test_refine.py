"""One interface over the refinements: each is what its own function gives."""

import sys

import numpy as np
import pytest
import torch

from mmppc.functional.dense_crf import (
    CRF_PRESETS,
    CRFPreset,
    crf_from_labels,
    crf_from_probabilities,
)
from mmppc.functional.pamr import pixel_adaptive_refinement
from mmppc.functional.refine import METHODS, check_refinement, refine_labels

CLASSES = [0, 5, 2]


def scene(height=30, width=40):
    """A noisy picture with two blocks, and scores (3, H, W) that miss their borders."""
    draw = np.random.default_rng(0)
    image = draw.normal(0, 12, (height, width, 3)) + 60
    image[6:24, 4:18] += [90, 0, 0]
    image[8:28, 22:36] += [0, 80, 60]
    scores = draw.random((3, height, width)) * 0.3
    scores[0] += 0.2
    scores[1, 4:20, 6:20] += 0.6
    scores[2, 10:30, 20:33] += 0.6
    return image.clip(0, 255).astype(np.uint8), torch.from_numpy(scores).float()


def argmax(scores):
    return np.array(CLASSES)[scores.argmax(dim=0).numpy()]


def test_none_is_the_argmax():
    image, scores = scene()
    labels = refine_labels(image, scores, CLASSES, 21)
    assert np.array_equal(labels, argmax(scores))
    assert labels.dtype == np.uint8
    assert refine_labels(image, scores, CLASSES, 300).dtype == np.int64
    ties = refine_labels(image, torch.full_like(scores, 0.2), CLASSES, 21)
    assert not ties.any()
    scores[0] = 0
    ties = refine_labels(image, torch.ones_like(scores) * (scores > 0), CLASSES, 21)
    assert set(np.unique(ties).tolist()) == {5}


@pytest.mark.parametrize('crf', ['seed', 'irn', 'ppc_affinity'])
def test_crf_over_the_argmax(crf):
    pytest.importorskip('pydensecrf')
    image, scores = scene()
    scores[2] *= 0.01  # a tag that wins nowhere
    hard = argmax(scores)
    assert set(np.unique(hard).tolist()) == {0, 5}
    labels = refine_labels(image, scores, CLASSES, 21, method='densecrf', crf=crf)
    assert np.array_equal(labels, crf_from_labels(image, hard, 21, crf, tagged=[0, 2, 5]))
    assert labels.dtype == np.uint8
    assert (labels != hard).mean() > 0.01


@pytest.mark.parametrize('crf', ['psa', 'random_walk', CRF_PRESETS['deeplab']])
def test_crf_over_the_scores(crf):
    pytest.importorskip('pydensecrf')
    image, scores = scene()
    labels = refine_labels(image, scores, np.array(CLASSES), 21, method='densecrf', crf=crf)
    marginals = crf_from_probabilities(image, scores.numpy(), crf)
    assert np.array_equal(labels, np.array(CLASSES)[marginals.argmax(axis=0)])
    assert (labels != argmax(scores)).mean() > 0.01


def test_pamr_over_the_scores():
    image, scores = scene()
    picture = torch.from_numpy(image).permute(2, 0, 1).float()
    labels = refine_labels(image, scores, torch.tensor(CLASSES), 21, method='pamr')
    assert np.array_equal(labels, argmax(pixel_adaptive_refinement(picture, scores)))
    assert (labels != argmax(scores)).mean() > 0.01
    options = {'iterations': 1, 'dilations': (1,)}
    labels = refine_labels(image, scores, CLASSES, 21, method='pamr', pamr=options)
    assert np.array_equal(labels, argmax(pixel_adaptive_refinement(picture, scores, **options)))


@pytest.mark.parametrize('method', METHODS)
def test_no_tag_is_all_background(method):
    image, scores = scene()
    labels = refine_labels(image, scores[:1] * 0, [0], 21, method=method)
    assert labels.shape == (30, 40)
    assert labels.dtype == np.uint8
    assert not labels.any()


def test_inputs_are_left_as_they_are():
    image, scores = scene()
    image.setflags(write=False)
    before = scores.clone()
    for method in ('none', 'pamr'):
        refine_labels(image, scores, CLASSES, 21, method=method)
    assert torch.equal(scores, before)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'method': 'crf'}, "refinement 'crf': expected one of none, densecrf, pamr"),
        ({'method': 'densecrf', 'crf': 'sead'}, "CRF preset 'sead': expected one of seed"),
        ({'image': np.zeros((30, 40), np.uint8)}, r'image \(30, 40\) uint8, expected'),
        ({'scores': torch.zeros(3, 30, 41)}, r'scores \(3, 30, 41\) for a picture \(30, 40\)'),
        ({'scores': torch.zeros(0, 30, 40), 'classes': []}, r'scores \(0, 30, 40\)'),
        ({'classes': [0, 5]}, r'classes \[0, 5\] for 3 rows'),
        ({'classes': [5, 0, 2]}, 'expected one a row, 0 first'),
        ({'classes': [0, 5, 21]}, r'classes \[0, 5, 21\], expected different ones of 0 .. 20'),
        ({'classes': [0, 5, 5]}, 'expected different ones'),
        ({'scores': torch.full((3, 30, 40), float('nan'))}, 'NaN'),
        ({'scores': torch.full((3, 30, 40), -0.1)}, 'negative'),
    ],
)
def test_wrong_input(change, message):
    image, scores = scene()
    given = {'image': image, 'scores': scores, 'classes': CLASSES, 'num_labels': 21, **change}
    with pytest.raises(ValueError, match=message):
        refine_labels(**given)


def test_names_are_checked_early(monkeypatch):
    check_refinement('none', 'sead')
    check_refinement('pamr', 'sead')
    with pytest.raises(ValueError, match="refinement 'crf'"):
        check_refinement('crf', 'seed')
    with pytest.raises(ValueError, match="CRF preset 'sead'"):
        check_refinement('densecrf', 'sead')
    monkeypatch.setitem(sys.modules, 'pydensecrf', None)
    check_refinement('none', 'seed')
    with pytest.raises(ImportError, match=r'pip install "mmppc\[crf\]"'):
        check_refinement('densecrf', CRFPreset('labels', 50, 5, 10))
