"""Reports of the stages, whole, old or damaged."""

import json

import numpy as np
import pytest

from mmppc.report.stage_reports import (
    Notes,
    condition_texts,
    mask_threshold,
    read_curves,
    read_evaluations,
    read_labels,
    read_tag_scores,
)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(
    ('conditions', 'texts'),
    [
        ({'scales': [0.5, 1.0], 'flip': True, 'tta': True, 'checkpoint': 'a.pth'}, ('scales 0.5, 1', 'flip')),
        ({'long_sides': [320], 'flip': False}, ('long side 320 px', 'no flip')),
        ({'tta': False}, ('no test-time augmentation',)),
        ({'note': 'by hand'}, ('note by hand',)),
        ({}, ()),
        (None, ()),
    ],
)  # fmt: skip
def test_conditions(conditions, texts):
    assert condition_texts(conditions) == texts


def test_a_pipeline_s_reports(finished):
    notes = Notes()
    curve = read_curves(finished / 'train_seeds', notes)[0]
    report = json.loads((finished / 'train_seeds/seed_metric_train.json').read_text())
    assert (curve.split, curve.best, curve.pictures) == ('train', report['best_threshold'], 9)
    assert len(curve.thresholds) == 60
    place = curve.at(curve.best)
    assert curve.miou[place] == report['mIoU'] == np.nanmax(curve.miou)
    assert curve.iou['background'][place] == report['IoU']['background']
    assert list(curve.iou) == list(report['IoU'])  # the table's further columns are no classes
    assert curve.confusions[curve.best].tolist() == report['confusion']
    assert curve.at(0.77) is None

    tags = read_tag_scores(finished / 'val_seeds', notes)[0]
    assert (tags.split, tags.mean, tags.pictures) == ('val', 100.0, 7)
    masks = read_evaluations(finished / 'masks', 'train', notes)[0]
    assert (masks.kind, masks.split, masks.pictures) == ('masks', 'train', 9)
    assert masks.miou == report['mIoU']  # thresholded only, at the same threshold
    assert masks.conditions == (
        f'threshold {curve.best:g} (best of train_seeds on train)',
        'no CRF',
    )
    final = read_evaluations(finished / 'final', None, notes)[0]
    assert (final.kind, final.split) == ('predictions', 'val')
    assert final.conditions == ('scales 0.5, 1', 'flip', 'no CRF')
    assert final.confusion.dtype == np.int64
    assert mask_threshold(finished / 'masks', notes).value == curve.best
    assert notes == []


def test_masks_of_a_walk_are_masks_not_predictions(tmp_path):
    write(tmp_path / 'masks/masks.json', {'made_by': 'PseudoMaskHook', 'classes': ['a', 'b']})
    write(
        tmp_path / 'mask_metric_train.json',
        {'split': 'train', 'mIoU': 50.0, 'IoU': {'a': 50.0}, 'crf': 'none'},
    )
    (found,) = read_evaluations(tmp_path, None, Notes())
    assert (found.kind, found.miou, found.confusion) == ('masks', 50.0, None)
    # A CAM folder in which make_masks.py worked, and in which a test was made too.
    write(
        tmp_path / 'masks/masks.json',
        {'threshold': 0.3, 'crf': 'seed', 'mIoU': 40.0, 'IoU': {'a': 40.0}},
    )
    first, second = read_evaluations(tmp_path, None, Notes())
    assert (first.kind, second.kind) == ('predictions', 'masks')
    assert second.conditions == ('threshold 0.3', 'CRF seed')


def test_a_curve_without_its_table_has_what_the_report_says(tmp_path):
    given = {'threshold': 0.26, 'mIoU': 40.0, 'IoU': {'a': 40.0}}
    report = {
        'split': 'val',
        'best_threshold': 0.4,
        'mIoU': 50.0,
        'IoU': {'a': None},
        'given_threshold': given,
    }
    write(tmp_path / 'seed_metric_val.json', report)
    (curve,) = read_curves(tmp_path, Notes())
    assert curve.thresholds.tolist() == [0.26, 0.4]
    assert curve.miou.tolist() == [40, 50]
    assert curve.iou['a'][0] == 40
    assert np.isnan(curve.iou['a'][1])
    assert curve.confusions == {}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{"split": ', 'not a JSON file'),
        ('[1]', 'found list, expected a JSON object'),
        ('{"split": "val"}', 'field best_threshold: expected a number'),
    ],
)
def test_damaged_reports_are_noted(tmp_path, content, message):
    write(tmp_path / 'seed_metric_val.json', content)
    notes = Notes()
    assert read_curves(tmp_path, notes) == ()
    assert message in notes[0]
    assert 'seed_metric_val.json' in notes[0]


@pytest.mark.parametrize(
    'content',
    ['', 'a,b\n1,2\n', 'threshold,mIoU\n', 'threshold,mIoU\n0.1,x\n', 'threshold,mIoU\n1\n'],
)
def test_a_damaged_table_is_noted(tmp_path, content):
    write(tmp_path / 'seed_metric_val.json', {'best_threshold': 0.4, 'mIoU': 50.0})
    write(tmp_path / 'seed_metric_val.csv', content)
    notes = Notes()
    (curve,) = read_curves(tmp_path, notes)
    assert curve.miou.tolist() == [50]
    assert curve.split == 'val'
    assert 'not a table of thresholds' in notes[0]


@pytest.mark.parametrize(
    'matrix', [[[1, 2]], [[1, 'x'], [0, 1]], [[1, -1], [0, 0]], 'x', [[1], [1, 2]], [[1e400]]]
)
def test_a_matrix_that_is_none_is_left_out(tmp_path, matrix):
    write(tmp_path / 'mask_metric_val.json', {'mIoU': 1.0, 'confusion': matrix})
    assert read_evaluations(tmp_path, None, Notes())[0].confusion is None


def test_confident_labels(tmp_path):
    content = {
        'background': 52.2,
        'foreground': 20.2,
        'unsure': 27.6,
        'accuracy': 88.2,
        'pictures': 5,
    }
    write(tmp_path / 'labels/labels.json', content)
    (labels,) = read_labels(tmp_path, Notes())
    assert labels.shares == {'background': 52.2, 'foreground': 20.2, 'unsure': 27.6}
    assert (labels.accuracy, labels.pictures) == (88.2, 5)
