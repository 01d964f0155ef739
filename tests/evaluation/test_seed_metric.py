"""SeedMetric: the figures, the files, pictures without truth, wrong input."""

import csv
import json
import logging

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmppc.evaluation import SeedMetric
from mmppc.functional.sweep import THRESHOLDS, label_confusion
from tests.reference.sweep import literal_sweep

CLASSES = ('background', 'cat', 'dog', 'cow')


def picture(name, scores, truth=None):
    sample = SegDataSample(metainfo={'sample_id': name})
    scores = torch.as_tensor(scores)
    sample.seg_logits = PixelData(data=torch.cat([torch.full_like(scores[:1], 0.2), scores]))
    if truth is not None:
        sample.gt_sem_seg = PixelData(data=torch.as_tensor(truth)[None])
    return sample


def random_pictures(number=6, seed=0):
    draw = np.random.default_rng(seed)
    for k in range(number):
        size = (7, 8 + k)
        truth = draw.choice([0, 1, 2, 3, 255], size)
        scores = draw.random((3, *size)) * (draw.random((3, 1, 1)) > 0.3)
        scores = scores + 0.3 * (truth == np.arange(1, 4)[:, None, None])
        yield scores.clip(0, 1).astype(np.float16).astype(np.float32), truth


def evaluate(samples, **options):
    evaluator = Evaluator(SeedMetric(**{'split': 'train', **options}))
    evaluator.dataset_meta = {'classes': CLASSES}
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def test_equals_the_literal_sweep(tmp_path):
    pictures = list(random_pictures())
    iou = literal_sweep(*zip(*pictures), THRESHOLDS)
    best = iou.mean(axis=1).argmax()
    assert 0 < best < 59
    samples = [picture(str(k), *item) for k, item in enumerate(pictures)]
    found = evaluate(
        samples, out_dir=str(tmp_path / 'out'), threshold=0.3, conditions={'scales': [1.0]}
    )
    assert found['seed/mIoU'] == pytest.approx(100 * iou[best].mean(), abs=0.006)
    assert found['seed/threshold'] == THRESHOLDS[best]
    assert found['seed/mIoU@0.3'] == pytest.approx(100 * iou[30].mean(), abs=0.006)
    assert found['seed/split'] == 'train'
    for name, value in zip(CLASSES, iou[best]):
        assert found[f'seed/IoU/{name}'] == pytest.approx(100 * value, abs=0.006)

    report = json.loads((tmp_path / 'out/seed_metric_train.json').read_text())
    assert report['best_threshold'] == THRESHOLDS[best]
    assert report['best_threshold_chosen_on'] == report['split'] == 'train'
    assert report['mIoU'] == found['seed/mIoU']
    assert report['given_threshold']['IoU']['dog'] == pytest.approx(100 * iou[30, 2], abs=0.006)
    assert report['pictures'] == 6
    assert report['skipped'] == 0
    assert report['conditions'] == {'scales': [1.0]}
    with open(tmp_path / 'out/seed_metric_train.csv', newline='') as file:
        rows = list(csv.reader(file))
    assert rows[0][:6] == ['threshold', 'mIoU', *CLASSES]
    assert [float(row[0]) for row in rows[1:]] == THRESHOLDS.tolist()
    curve = np.array(rows[1:], float)[:, 1:6] / 100
    np.testing.assert_allclose(curve, np.c_[iou.mean(axis=1), iou], atol=6e-5)


def test_report_holds_the_confusion_at_both_thresholds(tmp_path):
    pictures = list(random_pictures())
    samples = [picture(str(k), *item) for k, item in enumerate(pictures)]
    found = evaluate(samples, out_dir=str(tmp_path), threshold=0.5)
    text = (tmp_path / 'seed_metric_train.json').read_text()
    report = json.loads(text)
    for counts, threshold in (
        (report['confusion'], found['seed/threshold']),
        (report['given_threshold']['confusion'], 0.5),
    ):
        expected = sum(
            label_confusion(
                truth, np.concatenate([np.full_like(scores[:1], threshold), scores]).argmax(0), 4
            )
            for scores, truth in pictures
        )
        assert counts == expected.tolist()
    assert report['confusion'] != report['given_threshold']['confusion']
    assert str(report['confusion'][2]).replace(' ', '') in text  # a row a line


def test_foreground_rates_by_hand():
    # At 0.1: one of three foreground pixels is lost, one finds the wrong class, one in two background
    # pixels becomes foreground; the ignored pixel is not counted.
    scores = np.zeros((3, 1, 6), np.float32)
    scores[0, 0] = [0.5, 0.5, 0.05, 0.3, 0.0, 0.9]
    truth = np.array([[1, 2, 3, 0, 0, 255]])
    found = evaluate([picture('a', scores, truth)], thresholds=[0.1], threshold=None)
    assert found['seed/fg_recall'] == 66.67
    assert found['seed/bg_false_positives'] == 50.0
    assert found['seed/IoU/cat'] == 33.33
    assert 'seed/mIoU@0.26' not in found


def test_rates_at_every_threshold_are_those_of_the_label_maps(tmp_path):
    pictures = list(random_pictures())
    samples = [picture(str(k), *item) for k, item in enumerate(pictures)]
    evaluate(samples, out_dir=str(tmp_path), threshold=0.5)
    truth = np.concatenate([truth.ravel() for _, truth in pictures])
    with open(tmp_path / 'seed_metric_train.csv', newline='') as file:
        rows = {float(row['threshold']): row for row in csv.DictReader(file)}
    assert len(rows) == 60
    for threshold in (0.0, 0.26, 0.5):
        label = np.concatenate(
            [
                np.concatenate([np.full_like(scores[:1], threshold), scores]).argmax(0).ravel()
                for scores, _ in pictures
            ]
        )
        foreground = (truth > 0) & (truth < 255)
        expected = {
            'fg_recall': (label[foreground] > 0).mean(),
            'bg_false_positives': (label[truth == 0] > 0).mean(),
        }
        for index, name in enumerate(CLASSES[1:], 1):
            expected[f'recall/{name}'] = (label[truth == index] > 0).mean()
            expected[f'false_positives/{name}'] = (label[truth == 0] == index).mean()
        row = rows[threshold]
        assert list(row)[6:8] == ['fg_recall', 'bg_false_positives']
        assert set(list(row)[6:]) == set(expected)
        for name, value in expected.items():
            assert float(row[name]) == pytest.approx(100 * value, abs=0.006), (threshold, name)

    # The JSON file says the same at the best threshold and at the given one.
    report = json.loads((tmp_path / 'seed_metric_train.json').read_text())
    for point, row in (
        (report, rows[report['best_threshold']]),
        (report['given_threshold'], rows[0.5]),
    ):
        assert list(point['recall']) == list(point['false_positives']) == list(CLASSES[1:])
        assert {
            'mIoU': point['mIoU'],
            **point['IoU'],
            'fg_recall': point['fg_recall'],
            'bg_false_positives': point['bg_false_positives'],
            **{f'recall/{name}': value for name, value in point['recall'].items()},
            **{
                f'false_positives/{name}': value for name, value in point['false_positives'].items()
            },
        } == {name: float(value) for name, value in row.items() if name != 'threshold'}


def test_rates_of_what_is_not_there_are_empty(tmp_path):
    scores = np.zeros((3, 1, 2), np.float32)
    scores[0, 0, 0] = 0.9
    evaluate(
        [picture('a', scores, [[1, 1]])], out_dir=str(tmp_path), thresholds=[0.1], threshold=None
    )
    with open(tmp_path / 'seed_metric_train.csv', newline='') as file:
        (row,) = csv.DictReader(file)
    assert (row['fg_recall'], row['bg_false_positives']) == ('50.0', '')
    assert (row['recall/cat'], row['recall/dog'], row['false_positives/cat']) == ('50.0', '', '')
    report = json.loads((tmp_path / 'seed_metric_train.json').read_text())
    assert report['recall'] == {'cat': 50.0, 'dog': None, 'cow': None}
    assert report['bg_false_positives'] is None
    assert 'given_threshold' not in report


def test_scores_count_as_they_are_stored():
    # In float16 this score is 0.25, no longer above the threshold.
    scores = torch.full((3, 1, 1), 0.25001)
    found = evaluate([picture('a', scores, [[1]])], thresholds=[0.25], threshold=None)
    assert found['seed/IoU/cat'] == 0


def test_pictures_without_truth_are_counted_not_scored():
    pictures = list(random_pictures(3))
    samples = [picture(str(k), *item) for k, item in enumerate(pictures)]
    without = picture('x', np.ones((3, 4, 4), np.float32))
    alone, mixed = evaluate(samples), evaluate([*samples[:1], without, *samples[1:]])
    assert mixed['seed/skipped'] == 1
    assert mixed['seed/pictures'] == alone['seed/pictures'] == 3
    assert mixed['seed/mIoU'] == alone['seed/mIoU']
    assert evaluate([without]) == {
        'seed/split': 'train', 'seed/pictures': 0, 'seed/skipped': 1
    }  # fmt: skip


def test_a_sweep_that_ends_at_its_best_is_warned_of():
    samples = [picture(str(k), *item) for k, item in enumerate(random_pictures())]
    best = THRESHOLDS.tolist().index(evaluate(samples)['seed/threshold'])
    said = []

    class Listen(logging.Handler):
        def emit(self, record):
            if record.levelno >= logging.WARNING:
                said.append(record.getMessage())

    logger = MMLogger.get_current_instance()
    listen = Listen()
    logger.addHandler(listen)
    try:
        evaluate(samples, threshold=None, thresholds=THRESHOLDS[: best + 2])
        evaluate(samples, threshold=None, thresholds=THRESHOLDS[best : best + 1])
        assert said == []
        evaluate(samples, threshold=None, thresholds=THRESHOLDS[: best + 1])
    finally:
        logger.removeHandler(listen)
    assert len(said) == 1
    assert f"threshold of 'train', {THRESHOLDS[best]:g}, is the last of the sweep" in said[0]


def test_a_picture_counts_once():
    pictures = list(random_pictures(3))
    samples = [picture(str(k), *item) for k, item in enumerate(pictures)]
    assert evaluate([*samples, samples[0]]) == evaluate(samples)


def test_absent_classes():
    scores = np.zeros((3, 1, 2), np.float32)
    scores[0, 0, 0] = 0.9
    sample = picture('a', scores, [[1, 0]])
    left_out = evaluate([sample])
    assert left_out['seed/mIoU'] == 100
    assert np.isnan(left_out['seed/IoU/cow'])
    assert evaluate([sample], absent='zero')['seed/mIoU'] == 50


def test_wrong_input():
    scores, truth = next(random_pictures())
    with pytest.raises(ValueError, match='a/b: seg_logits has 3 channels, expected 4'):
        evaluate([picture('a/b', scores[1:], truth)])
    with pytest.raises(ValueError, match=r'a/b: scores \(\d, 7, 8\), truth \(7, 9\)'):
        evaluate([picture('a/b', scores, np.zeros((7, 9), int))])
    with pytest.raises(ValueError, match='a/b: scores hold NaN'):
        evaluate([picture('a/b', scores * np.nan, truth)])
    with pytest.raises(ValueError, match='a/b: truth holds 7'):
        evaluate([picture('a/b', scores, np.full((7, 8), 7))])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'split': ''}, "split='', expected its name"),
        ({'threshold': 0.265}, 'threshold=0.265 is not one of the thresholds'),
        ({'thresholds': [0.3, 0.2]}, 'increasing'),
        ({'absent': 'ignore'}, "absent='ignore'"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        SeedMetric(**{'split': 'train', **options})
