"""The one-pass sweep against one whole evaluation per threshold."""

import numpy as np
import pytest

from mmppc.functional.sweep import (
    THRESHOLDS,
    confusion_iou,
    foreground_rates,
    label_confusion,
    mean_iou,
    sweep_confusion,
    sweep_histogram,
)
from tests.reference.sweep import literal_sweep


def pictures(seed=0, number=5, classes=4):
    """Scores on a grid of hundredths, so that ties with thresholds and among classes abound."""
    draw = np.random.default_rng(seed)
    scores, targets = [], []
    for k in range(number):
        size = (6 + k, 9)
        present = draw.random((classes, 1, 1)) > 0.4
        scores.append((draw.random((classes, *size)).round(2) * present).astype(np.float32))
        targets.append(draw.choice([*range(classes + 1), 255], size).astype(np.uint8))
    return scores, targets


def iou_of(scores, targets, thresholds=THRESHOLDS, **options):
    histograms = [
        sweep_histogram(s, t, num_classes=len(scores[0]) + 1, thresholds=thresholds)
        for s, t in zip(scores, targets)
    ]
    return confusion_iou(sweep_confusion(histograms), **options)


def test_default_thresholds():
    assert THRESHOLDS.tolist() == [float(f'0.{k:02d}') for k in range(60)]


@pytest.mark.parametrize('seed', range(3))
def test_equals_the_literal_sweep(seed):
    scores, targets = pictures(seed)
    expected = literal_sweep(scores, targets, THRESHOLDS)
    np.testing.assert_array_equal(iou_of(scores, targets, absent='zero'), expected)
    assert len(np.unique(expected, axis=0)) > 20  # the thresholds do differ


def test_any_thresholds():
    scores, targets = pictures()
    thresholds = np.array([0.0, 0.123, 0.5, 0.99])
    expected = literal_sweep(scores, targets, thresholds)
    np.testing.assert_array_equal(iou_of(scores, targets, thresholds, absent='zero'), expected)


def test_present_classes_are_enough():
    scores, targets = pictures()
    full = [sweep_histogram(s, t, num_classes=5) for s, t in zip(scores, targets)]
    sparse = []
    for s, t in zip(scores, targets):
        present = s.any(axis=(1, 2)).nonzero()[0]
        sparse.append(sweep_histogram(s[present], t, num_classes=5, classes=present + 1))
    np.testing.assert_array_equal(sweep_confusion(full), sweep_confusion(sparse))


def test_numbers_by_hand():
    scores = np.array([[[0.3, 0.3, 0.1, 0.0]], [[0.3, 0.5, 0.1, 0.0]]])
    target = np.array([[1, 2, 0, 0]])
    histogram = sweep_histogram(scores, target, num_classes=3, thresholds=[0.0, 0.1, 0.3, 0.5])
    confusion = sweep_confusion([histogram])
    # A tie among classes goes to the lowest, a tie with the threshold to the background.
    assert confusion[0].tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert confusion[1].tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert confusion[2].tolist() == [[2, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert confusion[3].tolist() == [[2, 0, 0], [1, 0, 0], [1, 0, 0]]
    np.testing.assert_allclose(mean_iou(confusion_iou(confusion)), [2 / 3, 1, 5 / 9, 1 / 6])


def test_ties_in_single_precision():
    # 0.1 is rounded up in float32, 0.29 down: neither may come out above its own threshold.
    scores = np.array([[[0.1, 0.29, 0.58]]], np.float32)
    target = np.array([[1, 1, 1]])
    confusion = sweep_confusion([sweep_histogram(scores, target, num_classes=2)])
    assert [int(c) for c in confusion[[9, 10, 28, 29, 57, 58], 1, 1]] == [3, 2, 2, 1, 1, 0]
    half = sweep_histogram(scores.astype(np.float16), target, num_classes=2)
    single = scores.astype(np.float16).astype(np.float32)
    again = sweep_histogram(single, target, num_classes=2)
    assert half.bins.tolist() == again.bins.tolist()


def test_absent_classes():
    confusion = np.array([[5, 0, 0], [0, 0, 0], [1, 0, 4]])
    left_out, zero = confusion_iou(confusion), confusion_iou(confusion, absent='zero')
    np.testing.assert_allclose(left_out, [5 / 6, np.nan, 4 / 5])
    np.testing.assert_allclose(zero, [5 / 6, 0, 4 / 5])
    assert mean_iou(left_out) == pytest.approx((5 / 6 + 4 / 5) / 2)
    assert mean_iou(zero) == pytest.approx((5 / 6 + 4 / 5) / 3)
    assert np.isnan(mean_iou(np.full(3, np.nan)))
    with pytest.raises(ValueError, match="absent='keep'"):
        confusion_iou(confusion, absent='keep')


def test_counts_do_not_overflow():
    histogram = sweep_histogram(np.full((1, 1, 1), 0.5), np.array([[1]]), num_classes=2)
    many = type(histogram)(histogram.bins, histogram.counts * 2**40, 2, 60)
    assert sweep_confusion([many, many])[0, 1, 1] == 2**41


def test_no_class_is_all_background():
    histogram = sweep_histogram(
        np.zeros((0, 2, 2)), np.array([[0, 1], [0, 255]]), num_classes=3, classes=np.array([], int)
    )
    assert sweep_confusion([histogram])[0].tolist() == [[2, 0, 0], [1, 0, 0], [0, 0, 0]]
    ignored = sweep_histogram(np.ones((2, 1, 1)), np.array([[255]]), num_classes=3)
    assert not sweep_confusion([ignored]).any()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'target': np.full((2, 2), 3)}, r'truth holds 3 \.\. 3, expected classes 0 \.\. 2 or 255'),
        ({'target': np.zeros((2, 3), int)}, r'truth \(2, 3\)'),
        ({'scores': np.full((2, 2, 2), np.nan)}, 'NaN'),
        ({'classes': np.array([1])}, '1 classes'),
        ({'thresholds': [0.2, 0.1]}, 'increasing'),
        ({'thresholds': [0.5, 1.0]}, 'increasing'),
        ({'thresholds': []}, 'increasing'),
    ],
)
def test_wrong_input(change, message):
    given = {'scores': np.zeros((2, 2, 2)), 'target': np.zeros((2, 2), int), **change}
    with pytest.raises(ValueError, match=message):
        sweep_histogram(given.pop('scores'), given.pop('target'), num_classes=3, **given)


def test_nothing_to_sum():
    with pytest.raises(ValueError, match='at least one picture'):
        sweep_confusion([])
    two = sweep_histogram(np.zeros((1, 1, 1)), np.array([[0]]), num_classes=2)
    three = sweep_histogram(np.zeros((2, 1, 1)), np.array([[0]]), num_classes=3)
    with pytest.raises(ValueError, match='among histograms'):
        sweep_confusion([two, three])


def test_label_confusion():
    truth = np.array([[0, 1, 2, 255]], np.uint8)
    assert label_confusion(truth, np.array([[0, 2, 2, 1]]), 3).tolist() == (
        [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    )
    with pytest.raises(ValueError, match=r'truth of size \(1, 4\), prediction of size \(4,\)'):
        label_confusion(truth, truth[0], 3)
    with pytest.raises(ValueError, match=r'labels 0 \.\. 2, expected 0 \.\. 1'):
        label_confusion(truth, truth, 2)


def test_foreground_rates_by_hand():
    # Background: 6 of 10 right, 3 become class 1 and 1 class 2. Class 1: 8 pixels, 2 lost, 1 taken for class 2.
    # Class 2 does not occur. The second matrix is empty.
    confusion = np.zeros((2, 3, 3), np.int64)
    confusion[0] = [[6, 3, 1], [2, 5, 1], [0, 0, 0]]
    rates = foreground_rates(confusion)
    np.testing.assert_array_equal(rates.recall, [0.75, np.nan])
    np.testing.assert_array_equal(rates.false_positives, [0.4, np.nan])
    np.testing.assert_array_equal(rates.class_recall, [[0.75, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(rates.class_false_positives, [[0.3, 0.1], [np.nan, np.nan]])
    alone = foreground_rates(confusion[0])
    assert alone.recall.shape == ()
    assert float(alone.recall) == 0.75


@pytest.mark.parametrize('classes', [[3], [-1], [0], [2, 1], [1, 1]], ids=str)
def test_channels_that_would_count_elsewhere_are_refused(classes):
    scores = np.full((len(classes), 2, 2), 0.9)
    with pytest.raises(ValueError, match=r'expected ascending ones from 1 \.\. 2'):
        sweep_histogram(scores, np.zeros((2, 2), int), num_classes=3, classes=np.array(classes))
