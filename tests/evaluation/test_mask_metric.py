"""MaskMetric: IoUMetric without a CRF; with one, that of the refined masks, in order."""

import json
import math

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample
from PIL import Image

from mmppc.evaluation import MaskMetric
from mmppc.functional.dense_crf import crf_from_probabilities
from mmppc.storage import load_mask

CLASSES = ('background', 'cat', 'dog')


def samples(folder, number=5, channels=3):
    """Pictures of a coloured block, and logits that are noisy about it."""
    for k in range(number):
        draw = np.random.default_rng(k)
        truth = np.zeros((20, 24 + k), np.int64)
        truth[4:16, 5 + k : 18] = 1 + k % 2
        image = np.stack([truth * 70 + 40] * 3, axis=-1) + draw.integers(0, 9, (*truth.shape, 3))
        path = folder / f'{k}.png'
        Image.fromarray(image.astype(np.uint8)).save(path)
        logits = 1.5 * (truth == np.arange(channels)[:, None, None])
        logits = torch.tensor(logits + draw.normal(0, 1, logits.shape), dtype=torch.float32)
        sample = SegDataSample(metainfo={'img_path': str(path), 'sample_id': str(k)})
        sample.gt_sem_seg = PixelData(data=torch.tensor(truth)[None])
        sample.seg_logits = PixelData(data=logits)
        sample.pred_sem_seg = PixelData(data=logits.argmax(0, keepdim=True))
        yield sample


def evaluate(metric, data):
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = {'classes': CLASSES}
    for start in range(0, len(data), 2):
        evaluator.process(data[start : start + 2])
    return evaluator.evaluate(len(data))


def test_without_crf_it_is_iou_metric(tmp_path):
    data = list(samples(tmp_path))
    options = {'iou_metrics': ['mIoU', 'mFscore'], 'nan_to_num': 0, 'prefix': 'test'}
    expected = evaluate(IoUMetric(**options), data)
    assert evaluate(MaskMetric(**options), data) == pytest.approx(expected)  # of other precision
    assert 'test/mFscore' in expected


@pytest.mark.parametrize('workers', [0, 1])
def test_crf(tmp_path, workers):
    pytest.importorskip('pydensecrf')
    data = list(samples(tmp_path))
    metric = MaskMetric(crf='deeplab', crf_workers=workers, output_dir=str(tmp_path / 'out'))
    found = evaluate(metric, data)
    refined = []
    for sample in data:
        image = np.array(Image.open(sample.img_path))
        probabilities = sample.seg_logits.data.softmax(0).numpy()
        label = crf_from_probabilities(image, probabilities, 'deeplab').argmax(0)
        refined.append(sample.clone())
        refined[-1].pred_sem_seg = PixelData(data=torch.from_numpy(label)[None])
        written = np.array(Image.open(tmp_path / 'out' / f'{sample.sample_id}.png'))
        assert np.array_equal(written, label)
    assert found == {**evaluate(IoUMetric(), refined), 'crf': 'deeplab'}
    assert found['mIoU'] > evaluate(IoUMetric(), data)['mIoU'] + 10
    if workers == 0:
        assert evaluate(metric, data) == found  # ready for the next evaluation


def test_report_names_its_conditions(tmp_path):
    data = list(samples(tmp_path))
    for sample in data:  # one class that neither truth nor prediction holds
        sample.gt_sem_seg.data[sample.gt_sem_seg.data == 2] = 1
        sample.pred_sem_seg.data[sample.pred_sem_seg.data == 2] = 1
    conditions = {'checkpoint': 'a.pth', 'tta': True, 'scales': [0.5, 1.0], 'flip': True}
    options = {'split': 'val', 'out_dir': str(tmp_path), 'conditions': conditions}
    figures = evaluate(MaskMetric(**options), data)
    report = json.loads((tmp_path / 'mask_metric_val.json').read_text())
    truth, found = (
        np.concatenate([getattr(sample, name).data.flatten() for sample in data])
        for name in ('gt_sem_seg', 'pred_sem_seg')
    )
    both = [
        ((truth == k) & (found == k)).sum() / ((truth == k) | (found == k)).sum() for k in (0, 1)
    ]
    expected = {
        'background': round(100 * both[0], 2), 'cat': round(100 * both[1], 2), 'dog': None
    }  # fmt: skip
    assert report.pop('IoU') == expected
    assert report.pop('mIoU') == pytest.approx(50 * sum(both), abs=0.006)
    assert report.pop('aAcc') == pytest.approx(figures['aAcc'], abs=0.006)
    assert report.pop('mAcc') == pytest.approx(figures['mAcc'], abs=0.006)
    counts = report.pop('confusion')
    assert counts == [
        [int(((truth == i) & (found == j)).sum()) for j in range(3)] for i in range(3)
    ]
    assert report == {
        'split': 'val', 'crf': 'none', 'pictures': 5, 'skipped': 0, 'unit': 'percent',
        'conditions': conditions,
    }  # fmt: skip


def test_report_of_refined_masks_names_the_crf(tmp_path):
    data = list(samples(tmp_path, 2))
    figures = evaluate(MaskMetric(crf='deeplab', crf_workers=0, out_dir=str(tmp_path)), data)
    report = json.loads((tmp_path / 'mask_metric_test.json').read_text())
    assert report['crf'] == 'deeplab'
    assert report['mIoU'] == pytest.approx(figures['mIoU'], abs=0.006)


def test_predictions_are_filed_by_sample_id_with_the_palette(tmp_path):
    data = list(samples(tmp_path, 3))
    for sample, name in zip(data, ('a/same', 'b/same', None)):
        sample.set_metainfo({'sample_id': name})
    palette = [[0, 0, 0], [9, 8, 7], [1, 2, 3]]
    metric = MaskMetric(output_dir=str(tmp_path / 'out'))
    metric.dataset_meta = {'classes': CLASSES, 'palette': palette}
    metric.process({}, [sample.to_dict() for sample in data])
    for sample, name in zip(data, ('a/same', 'b/same', '2')):
        path = tmp_path / 'out' / f'{name}.png'
        assert np.array_equal(load_mask(path, 3), sample.pred_sem_seg.data[0])
        with Image.open(path) as picture:
            assert picture.getpalette()[:9] == [value for colour in palette for value in colour]
    assert len([path for path in (tmp_path / 'out').rglob('*') if path.is_file()]) == 3


@pytest.mark.parametrize('format_only', [True, False])
def test_without_ground_truth_predictions_are_written_but_no_figures(tmp_path, format_only):
    data = list(samples(tmp_path, 2))
    if not format_only:
        for sample in data:
            del sample.gt_sem_seg
    folders = {'out_dir': str(tmp_path / 'reports'), 'output_dir': str(tmp_path / 'out')}
    assert evaluate(MaskMetric(format_only=format_only, **folders), data) == {}
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['0.png', '1.png']
    assert not (tmp_path / 'reports').exists()


def test_pictures_without_truth_are_counted_and_others_count_once(tmp_path):
    data = list(samples(tmp_path, 3))
    expected = evaluate(IoUMetric(), data[:2])
    del data[2].gt_sem_seg
    found = evaluate(MaskMetric(out_dir=str(tmp_path)), [data[0], *data])
    assert found == pytest.approx(expected)
    report = json.loads((tmp_path / 'mask_metric_test.json').read_text())
    assert (report['pictures'], report['skipped']) == (2, 1)
    assert math.isclose(report['mIoU'], expected['mIoU'], abs_tol=0.006)


def test_errors_name_the_picture(tmp_path):
    pytest.importorskip('pydensecrf')
    data = list(samples(tmp_path, 3))
    (tmp_path / '1.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'1\.png: no such picture'):
        evaluate(MaskMetric(crf='deeplab', crf_workers=0), data)
    Image.new('RGB', (3, 3)).save(tmp_path / '1.png')
    with pytest.raises(ValueError, match=r'1\.png: image of size \(3, 3\) for maps of size'):
        evaluate(MaskMetric(crf='deeplab', crf_workers=0), data)


def test_labels_that_are_no_class_are_refused(tmp_path):
    data = list(samples(tmp_path, 1))
    data[0].gt_sem_seg.data[0, 0, 0] = 3
    with pytest.raises(ValueError, match=r'0: labels 0 \.\. 3, expected 0 \.\. 2'):
        evaluate(MaskMetric(), data)
    data[0].gt_sem_seg.data[0, 0, 0] = 255  # ignored
    assert evaluate(MaskMetric(), data)['mIoU'] > 0


def test_wrong_options(tmp_path):
    with pytest.raises(ValueError, match="crf='seed' takes labels"):
        MaskMetric(crf='seed')
    with pytest.raises(ValueError, match="CRF preset 'dense'"):
        MaskMetric(crf='dense')
    pytest.importorskip('pydensecrf')
    with pytest.raises(ValueError, match='has 1 channel'):
        evaluate(MaskMetric(crf='deeplab', crf_workers=0), list(samples(tmp_path, 1, channels=1)))
