"""Pixel counts of COCO's size: 25 billion pixels do not fit 32 bits, neither as integers nor as floats."""

import json

import numpy as np
import pytest
import torch

from mmppc.evaluation import MaskMetric
from mmppc.functional.sweep import (
    SweepHistogram,
    confusion_iou,
    label_confusion,
    sweep_confusion,
    sweep_histogram,
)

MANY = 2**33 + 1  # not a float32
CLASSES = ('background', 'cat')


def test_sweep_counts_beyond_32_bits():
    # One bin each: background taken for background, a cat found at both thresholds, a cat found at the first only.
    bins = np.array([0, (1 * 2 + 1) * 3 + 2, (1 * 2 + 1) * 3 + 1])
    counts = np.array([MANY, MANY, 1])
    confusion = sweep_confusion([SweepHistogram(bins, counts, 2, 2)] * 3)
    assert confusion.dtype == np.int64
    assert confusion.tolist() == [
        [[3 * MANY, 0], [0, 3 * MANY + 3]],
        [[3 * MANY, 0], [3, 3 * MANY]],
    ]
    np.testing.assert_allclose(confusion_iou(confusion)[1, 1], MANY / (MANY + 1), rtol=1e-15)


def test_histograms_and_confusions_are_of_64_bits():
    truth = np.array([[0, 1], [255, 1]], np.uint8)
    scores = np.array([[[0.1, 0.9], [0.2, 0.3]]], np.float16)
    histogram = sweep_histogram(scores, truth, num_classes=2)
    assert histogram.counts.dtype == histogram.bins.dtype == np.int64
    assert label_confusion(truth, np.minimum(truth, 1), 2).dtype == np.int64


@pytest.mark.parametrize('large', [2**24, MANY - 1])
def test_mask_metric_still_counts_single_pixels(large, tmp_path):
    metric = MaskMetric()
    metric.dataset_meta = {'classes': CLASSES}
    metric.out_dir = tmp_path
    metric.results.append(('many', (np.array([0]), np.array([large]))))
    # A thousand pictures of one pixel each, all background taken for a cat. In float32 they would leave no trace.
    truth, label = torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.long)
    for number in range(1000):
        sample = {'sample_id': str(number), 'gt_sem_seg': {'data': truth[None]}}
        metric._score(sample, label)
    figures = metric.compute_metrics(metric.results)
    # Of the two classes one is all wrong, the other all but a thousand pixels right.
    assert figures['mIoU'] == round(50 * large / (large + 1000), 2)
    report = json.loads((tmp_path / 'mask_metric_test.json').read_text())
    assert report['confusion'] == [[large, 1000], [0, 0]]
    assert report['pictures'] == 1001
