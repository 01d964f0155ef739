"""The dense CRF against a plain run of pydensecrf, and on degenerate pictures."""

import dataclasses
import sys

import numpy as np
import pytest

from mmppc.functional.dense_crf import (
    CRF_PRESETS,
    CRFPreset,
    crf_from_labels,
    crf_from_probabilities,
    crf_marginals,
    crf_preset,
)
from tests.reference.crf import plain_crf

densecrf = pytest.importorskip('pydensecrf.densecrf')
utils = pytest.importorskip('pydensecrf.utils')

LABEL_PRESETS = [name for name, preset in CRF_PRESETS.items() if preset.unary == 'labels']
SCORE_PRESETS = [name for name, preset in CRF_PRESETS.items() if preset.unary == 'scores']


def scene(height=40, width=52, seed=0, labels=(0, 3, 8)):
    """A noisy picture of coloured blocks, and a label map that misses their borders."""
    draw = np.random.default_rng(seed)
    image = draw.normal(0, 18, (height, width, 3)) + 60
    image[8:30, 5:25] += [90, 0, 0]
    image[12:38, 30:48] += [0, 80, 60]
    truth = np.full((height, width), labels[0])
    truth[5:26, 9:28] = labels[1]
    truth[15:40, 26:44] = labels[2]
    return image.clip(0, 255).astype(np.uint8), truth


@pytest.mark.parametrize('name', [name for name in LABEL_PRESETS if CRF_PRESETS[name].all_labels])
def test_folding_is_the_run_over_all_21_labels(name):
    image, labels = scene()
    preset = CRF_PRESETS[name]
    unary = utils.unary_from_labels(labels, 21, gt_prob=0.7, zero_unsure=False)
    expected = plain_crf(image, unary, preset)
    found = crf_marginals(image, labels, 21, name)

    assert found.labels.tolist() == [0, 3, 8]
    assert found.num_absent == 18
    absent = np.setdiff1d(np.arange(21), found.labels)
    np.testing.assert_allclose(found.probabilities, expected[found.labels], atol=3e-6)
    np.testing.assert_allclose(found.absent, expected[absent].sum(axis=0), atol=3e-6)
    refined = crf_from_labels(image, labels, 21, name)
    assert np.array_equal(refined, expected.argmax(axis=0))
    assert (refined != labels).mean() > 0.03  # it did something


@pytest.mark.parametrize('confidence', [0.1, 0.26])
def test_absent_labels_win_only_one_by_one(confidence):
    # With 0.1 every other label starts likelier than the given one. With 0.26 it does not, but the
    # three absent ones together do, which must not matter.
    image, labels = scene(labels=(0, 3, 1))
    preset = CRFPreset('labels', 50, 5, 10, confidence=confidence, iterations=1)
    unary = utils.unary_from_labels(labels, 6, gt_prob=confidence, zero_unsure=False)
    expected = plain_crf(image, unary, preset)
    found = crf_marginals(image, labels, 6, preset)
    np.testing.assert_allclose(found.absent, expected[[2, 4, 5]].sum(axis=0), atol=3e-6)
    # The absent labels are equal but for rounding; ours is the lowest of them.
    winner = expected[:4].argmax(axis=0)
    ordered = np.sort(expected[:4], axis=0)
    clear = ordered[3] - ordered[2] > 1e-5
    assert clear.mean() > 0.5  # a pixel that the kernels reach from nowhere has equal labels
    assert np.array_equal(crf_from_labels(image, labels, 6, preset)[clear], winner[clear])
    sum_wins = found.absent > found.probabilities.max(axis=0)
    assert ((winner == 2) if confidence == 0.1 else (sum_wins & (winner != 2))).any()


def test_irn_considers_present_labels_only():
    image, labels = scene()
    compact = np.searchsorted([0, 3, 8], labels)
    unary = utils.unary_from_labels(compact, 3, gt_prob=0.7, zero_unsure=False)
    expected = np.array([0, 3, 8])[plain_crf(image, unary, CRF_PRESETS['irn']).argmax(axis=0)]
    refined = crf_from_labels(image, labels, 21, 'irn')
    assert np.array_equal(refined, expected)
    assert crf_marginals(image, labels, 21, 'irn').num_absent == 0
    assert (refined != crf_from_labels(image, labels, 21, 'seed')).any()


def test_irn_counts_tags_that_win_nowhere():
    image, labels = scene()
    compact = np.searchsorted([0, 3, 8], labels)
    unary = utils.unary_from_labels(compact, 5, gt_prob=0.7, zero_unsure=False)
    expected = plain_crf(image, unary, CRF_PRESETS['irn'])
    found = crf_marginals(image, labels, 21, 'irn', tagged=[0, 15, 8, 20])
    assert found.labels.tolist() == [0, 3, 8, 15, 20]
    assert found.num_absent == 0
    np.testing.assert_allclose(found.probabilities, expected, atol=3e-6)
    refined = crf_from_labels(image, labels, 21, 'irn', tagged=[0, 15, 8, 20])
    assert np.array_equal(refined, np.array([0, 3, 8, 15, 20])[expected.argmax(axis=0)])
    assert (refined != crf_from_labels(image, labels, 21, 'irn')).any()


def test_tags_do_not_matter_where_all_labels_count():
    image, labels = scene()
    alone = crf_marginals(image, labels, 21, 'seed')
    found = crf_marginals(image, labels, 21, 'seed', tagged=(3, 5))
    assert found.labels.tolist() == [0, 3, 5, 8]
    assert found.num_absent == 17
    np.testing.assert_allclose(found.probabilities[[0, 1, 3]], alone.probabilities, atol=3e-6)
    np.testing.assert_allclose(found.probabilities[2], alone.absent / 18, atol=3e-6)
    np.testing.assert_allclose(found.absent, alone.absent * 17 / 18, atol=3e-6)
    refined = crf_from_labels(image, labels, 21, 'seed', tagged=(3, 5))
    assert np.array_equal(refined, crf_from_labels(image, labels, 21, 'seed'))


@pytest.mark.parametrize('name', [name for name in LABEL_PRESETS if CRF_PRESETS[name].all_labels])
def test_two_maps_share_a_lattice(name):
    image, first = scene()
    second = np.where(first == 8, 0, np.roll(first, 4, axis=1))  # without one label of the first
    found = crf_marginals(image, np.stack([first, second]), 21, name)
    assert found.labels.tolist() == [0, 3, 8]
    assert found.probabilities.shape == (2, 3, *first.shape)
    assert found.absent.shape == (2, *first.shape)
    for index, labels in enumerate((first, second)):
        unary = utils.unary_from_labels(labels, 21, gt_prob=0.7, zero_unsure=False)
        expected = plain_crf(image, unary, CRF_PRESETS[name])
        np.testing.assert_allclose(found.probabilities[index], expected[[0, 3, 8]], atol=3e-6)
        absent = np.setdiff1d(np.arange(21), found.labels)
        np.testing.assert_allclose(found.absent[index], expected[absent].sum(axis=0), atol=3e-6)
    refined = crf_from_labels(image, np.stack([first, second]), 21, name)
    assert refined.dtype == first.dtype
    for labels, one in zip((first, second), refined):
        assert np.array_equal(one, crf_from_labels(image, labels, 21, name))


def test_two_maps_of_irn_share_their_labels():
    image, first = scene()
    second = np.where(first == 8, 0, first)
    both = crf_marginals(image, np.stack([first, second]), 21, 'irn')
    alone = crf_marginals(image, second, 21, 'irn', tagged=[8])
    np.testing.assert_array_equal(both.probabilities[1], alone.probabilities)
    assert both.labels.tolist() == alone.labels.tolist() == [0, 3, 8]
    refined = crf_from_labels(image, np.stack([first, second]), 21, 'irn')
    assert np.array_equal(refined[1], crf_from_labels(image, second, 21, 'irn', tagged=[8]))


@pytest.mark.parametrize('num_labels', [2, 3, 4, 5, 7, 9])
def test_any_number_of_labels(num_labels):
    # pydensecrf takes labels in groups of four; the rows that fill a group must not show.
    image, _ = scene()
    draw = np.random.default_rng(num_labels)
    labels = draw.integers(0, num_labels, (5, 5)).repeat(8, axis=0).repeat(11, axis=1)[:, :52]
    unary = utils.unary_from_labels(labels, num_labels, gt_prob=0.7, zero_unsure=False)
    expected = plain_crf(image, unary, CRF_PRESETS['seed'])
    found = crf_marginals(image, labels, num_labels, 'seed')
    assert found.num_absent == 0
    np.testing.assert_allclose(found.probabilities, expected, atol=3e-6)
    np.testing.assert_allclose(found.probabilities.sum(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize('name', SCORE_PRESETS)
def test_scores_are_the_plain_run(name):
    image, labels = scene()
    draw = np.random.default_rng(1)
    scores = 0.3 * draw.random((4, *labels.shape)) + 0.5 * (labels == np.arange(4)[:, None, None])
    unary = -np.log(np.clip(scores, 1e-5, 1)).reshape(4, -1)
    expected = plain_crf(image, unary, CRF_PRESETS[name])
    found = crf_from_probabilities(image, scores, name)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=3e-6)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_stacks_of_scores_share_a_lattice():
    image, labels = scene()
    stacks = np.random.default_rng(2).random((2, 3, *labels.shape))
    both = crf_from_probabilities(image, stacks, 'psa')
    for one, stack in zip(both, stacks):
        np.testing.assert_array_equal(one, crf_from_probabilities(image, stack, 'psa'))


def test_values_of_the_published_presets():
    assert dataclasses.astuple(CRF_PRESETS['seed']) == (
        ('labels', 50, 5, 10, 10, 3, 3, 0.7, True, 'xy')
    )
    kernels = {
        name: (item.bilateral_xy, item.bilateral_rgb, item.bilateral_weight, item.iterations)
        for name, item in CRF_PRESETS.items()
    }
    assert kernels == {
        'seed': (50, 5, 10, 10),
        'irn': (50, 5, 10, 10),
        'psa': (80, 13, 10, 10),
        'ppc_affinity': (80, 13, 10, 10),
        'eps': (80, 13, 10, 5),
        'random_walk': (80, 13, 10, 1),
        'deeplab': (67, 3, 4, 10),
        'codebase': (32, 13, 10, 1),
    }
    smooth = {(item.smooth_xy, item.smooth_weight) for item in CRF_PRESETS.values()}
    assert smooth == {(3, 3), (1, 3)}
    assert CRF_PRESETS['deeplab'].smooth_xy == 1


@pytest.mark.parametrize('size', [(1, 1), (7, 300), (300, 1), (2, 2)])
@pytest.mark.parametrize('name', LABEL_PRESETS)
def test_any_size(size, name):
    draw = np.random.default_rng(3)
    image = draw.integers(0, 256, (*size, 3), dtype=np.uint8)
    labels = draw.integers(0, 2, size).astype(np.uint8) * 5
    refined = crf_from_labels(image, labels, 21, name)
    assert refined.shape == size
    assert refined.dtype == np.uint8
    assert np.isin(refined, labels).all()
    scores = crf_from_probabilities(image, draw.random((3, *size)), 'deeplab')
    assert np.isfinite(scores).all()


@pytest.mark.parametrize('name', LABEL_PRESETS)
@pytest.mark.parametrize('label', [0, 20])
def test_one_label_fills_the_picture(name, label):
    image, _ = scene()
    labels = np.full(image.shape[:2], label)
    assert (crf_from_labels(image, labels, 21, name) == label).all()
    unary = utils.unary_from_labels(labels, 21, gt_prob=0.7, zero_unsure=False)
    assert (plain_crf(image, unary, CRF_PRESETS['seed']).argmax(axis=0) == label).all()
    found = crf_marginals(image, labels, 21, name)
    np.testing.assert_allclose(found.probabilities[0] + found.absent, 1, atol=1e-5)
    pair = np.stack([labels, labels])
    assert np.array_equal(crf_from_labels(image, pair, 21, name), pair)
    assert (crf_from_labels(image, labels, 21, name, tagged=[0, 7]) == label).all()


def test_one_score_and_one_class():
    image, labels = scene()
    assert (crf_from_probabilities(image, np.full((1, *labels.shape), 0.2)) == 1).all()
    assert (crf_from_labels(image, np.zeros_like(labels), 1) == 0).all()
    assert (crf_marginals(image, np.zeros_like(labels), 1).probabilities == 1).all()


def test_grey_picture():
    image, labels = scene()
    grey = np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    unary = utils.unary_from_labels(labels, 21, gt_prob=0.7, zero_unsure=False)
    expected = plain_crf(grey, unary, CRF_PRESETS['seed']).argmax(axis=0)
    assert np.array_equal(crf_from_labels(grey, labels, 21), expected)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'image': np.zeros((40, 52), np.uint8)}, r'image \(40, 52\) uint8, expected'),
        ({'image': np.zeros((40, 52, 3), np.float32)}, 'float32, expected'),
        (
            {'image': np.zeros((41, 52, 3), np.uint8)},
            r'size \(41, 52\) for maps of size \(40, 52\)',
        ),
        ({'labels': np.full((40, 52), 21)}, r'labels hold \[21\], expected 0 .. 20'),
        ({'labels': np.full((40, 52), -1)}, r'labels hold \[-1\]'),
        ({'labels': np.zeros((40, 52))}, 'float64, expected'),
        ({'labels': np.zeros(52, int)}, r'labels \(52,\) int64, expected \(H, W\) or \(A, H, W\)'),
        ({'tagged': [3, 21]}, r'tagged holds \[3, 21\], expected 0 .. 20'),
        ({'preset': 'sead'}, "preset 'sead': expected one of seed, irn"),
        ({'preset': 'deeplab'}, "'deeplab' takes scores, expected one for labels: seed, irn"),
    ],
)
def test_wrong_input(change, message):
    image, labels = scene()
    given = {'image': image, 'labels': labels, 'num_labels': 21, **change}
    with pytest.raises(ValueError, match=message):
        crf_from_labels(**given)


def test_wrong_scores_and_presets():
    image, labels = scene()
    scores = np.ones((2, *labels.shape))
    with pytest.raises(ValueError, match='takes labels, expected one for scores: psa'):
        crf_from_probabilities(image, scores, 'seed')
    with pytest.raises(ValueError, match='NaN'):
        crf_from_probabilities(image, scores * np.nan)
    with pytest.raises(ValueError, match=r'expected \(K, H, W\)'):
        crf_from_probabilities(image, scores[0])
    with pytest.raises(ValueError, match="unary='hard'"):
        CRFPreset('hard', 50, 5, 10)
    with pytest.raises(ValueError, match='confidence=1'):
        CRFPreset('labels', 50, 5, 10, confidence=1)
    assert crf_preset(CRF_PRESETS['irn']) is CRF_PRESETS['irn']


def test_missing_pydensecrf_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pydensecrf', None)
    image, labels = scene()
    with pytest.raises(ImportError, match=r'pip install "mmppc\[crf\]"'):
        crf_from_labels(image, labels, 21)
