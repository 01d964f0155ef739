"""TagMetric against average precision by hand."""

import json
import math

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import LabelData
from mmseg.structures import SegDataSample

from mmppc.evaluation import TagMetric


def evaluate(rows, classes=('background', 'cat', 'dog', 'cow'), **options):
    evaluator = Evaluator(TagMetric(**options))
    evaluator.dataset_meta = {'classes': classes}
    for number, (scores, tags) in enumerate(rows):
        sample = SegDataSample(metainfo={'sample_id': str(number)})
        sample.pred_tags = LabelData(score=torch.tensor(scores))
        if tags is not None:
            sample.gt_tags = LabelData(label=torch.tensor(tags, dtype=torch.float32))
        evaluator.process([sample])
    return evaluator.evaluate(len(rows))


def test_average_precision_by_hand():
    rows = [
        ([0.9, 0.1, 0.5], [1, 0, 0]),
        ([0.8, 0.7, 0.5], [0, 1, 0]),
        ([0.7, 0.6, 0.5], [1, 0, 0]),
        ([0.1, 0.9, 0.5], [0, 1, 0]),
        ([0.0, 0.0, 0.9], None),
    ]
    found = evaluate(rows)
    assert found['tags/AP/cat'] == pytest.approx(100 * (1 + 2 / 3) / 2, abs=0.006)
    assert found['tags/AP/dog'] == 100
    assert 'tags/AP/cow' not in found  # no picture shows one
    assert found['tags/mAP'] == pytest.approx(100 * (5 / 6 + 1) / 2, abs=0.006)


def test_report_names_its_conditions(tmp_path):
    rows = [([0.9, 0.1, 0.5], [1, 0, 0]), ([0.8, 0.7, 0.5], [0, 1, 0])]
    conditions = {'scales': [1.0], 'flip': False}
    evaluate(rows, split='val', out_dir=str(tmp_path), conditions=conditions)
    assert json.loads((tmp_path / 'tag_metric_val.json').read_text()) == {
        'split': 'val', 'mAP': 100.0, 'AP': {'cat': 100.0, 'dog': 100.0}, 'pictures': 2,
        'unit': 'percent', 'conditions': conditions,
    }  # fmt: skip


def test_no_tags():
    assert math.isnan(evaluate([([0.1, 0.2, 0.3], None)])['tags/mAP'])
    assert math.isnan(evaluate([([0.1, 0.2, 0.3], [0, 0, 0])])['tags/mAP'])


def test_wrong_number_of_tags():
    with pytest.raises(ValueError, match=r'0: \(2,\) scores and \(3,\) tags, expected \(3,\)'):
        evaluate([([0.1, 0.2], [0, 0, 1])])
