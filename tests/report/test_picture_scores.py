"""IoU of single pictures."""

import numpy as np
import pytest

from mmppc.refinement.records import PictureRecord
from mmppc.report.collect import collect
from mmppc.report.columns import Column, PictureFiles, find_columns
from mmppc.report.picture_scores import score_pictures
from mmppc.storage import load_mask, save_mask, save_seed

PALETTE = [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
MASKS = Column('masks', 'mask', 'masks')
SEEDS = Column('seeds', 'seed', 'seeds', 0.5)


def picture(folder, truth, mask=None, seed=None, name='a'):
    files = {}
    truth_path = None
    if truth is not None:
        truth_path = str(folder / f'{name}_truth.png')
        save_mask(truth_path, np.array(truth), PALETTE)
    if mask is not None:
        files['masks'] = folder / f'{name}.png'
        save_mask(files['masks'], np.array(mask), PALETTE)
    if seed is not None:
        files['seeds'] = folder / f'{name}.npz'
        save_seed(files['seeds'], np.array(seed), np.array([2]), num_classes=3)
    return PictureFiles(PictureRecord(name, f'{name}.jpg', truth_path), 'val', files)


def score(pictures, columns=(MASKS, SEEDS)):
    return score_pictures(pictures, columns, 3, workers=0)


def test_by_hand(tmp_path):
    # Class 1: found 1 of 2; background: 1 of 2; class 2 only predicted, in the place of the other 1; void ignored.
    item = picture(tmp_path, [[0, 1, 1, 255]], mask=[[0, 1, 2, 2]], seed=[[[0.9, 0.4, 0.5, 0.9]]])
    (found,), totals = score([item])
    assert found.has_truth
    assert found.classes == (1,)
    assert found.scores['masks'].classes == pytest.approx({0: 100, 1: 50, 2: 0})
    assert found.scores['masks'].mean == pytest.approx(50)
    # At 0.5 only what is above counts: class 2 at the first pixel.
    assert found.scores['seeds'].classes == {0: 0, 1: 0, 2: 0}
    assert totals['val', 'masks'].tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
    assert totals['val', 'seeds'].tolist() == [[0, 0, 1], [2, 0, 0], [0, 0, 0]]


def test_without_truth_the_seed_tells_the_classes(tmp_path):
    (found,), totals = score([picture(tmp_path, None, mask=[[0, 1]], seed=[[[0.9, 0.1]]])])
    assert (found.has_truth, found.classes, found.scores) == (False, (2,), {})
    assert totals == {}


def test_nothing_but_void_has_no_score(tmp_path):
    (found,), _ = score([picture(tmp_path, [[255, 255]], mask=[[0, 1]])])
    assert found.scores == {}
    assert found.has_truth


def test_what_cannot_be_read_is_noted_and_the_rest_is_scored(tmp_path):
    good = picture(tmp_path, [[0, 1]], mask=[[0, 1]], name='good')
    cut = picture(tmp_path, [[0, 1]], mask=[[0, 1]], name='cut')
    cut.files['masks'].write_bytes(b'nothing')
    size = picture(tmp_path, [[0, 1]], mask=[[0, 1, 1]], name='size')
    classes = picture(tmp_path, [[0, 1]], name='classes', seed=[[[0.9, 0.1]]])
    save_seed(classes.files['seeds'], np.ones((1, 1, 2)), np.array([4]), num_classes=9)
    found, totals = score([good, cut, size, classes])
    assert found[0].scores['masks'].mean == pytest.approx(100)
    assert totals['val', 'masks'].sum() == 2
    for item, text in zip(
        found[1:], ('cut.png: not a mask', 'size.png: truth of size', 'num_classes: found 9')
    ):
        assert item.scores == {}
        assert text in item.notes[0]


def test_a_pipeline_s_pictures(finished):
    run = collect(finished)
    columns, pictures = find_columns(run)
    assert [column.key for column in columns] == ['seeds', 'masks', 'predictions']
    assert columns[0].stages == {'train': 'train_seeds', 'val': 'val_seeds'}
    assert {len(item.files) for item in pictures} == {2}
    found, totals = score_pictures(pictures, columns, len(run.data.classes), workers=0)
    assert len(found) == 16
    assert set(totals) == {
        ('train', 'seeds'),
        ('train', 'masks'),
        ('val', 'seeds'),
        ('val', 'predictions'),
    }
    truth = load_mask(pictures[0].record.truth_path)
    assert totals['train', 'masks'].sum() == sum(
        (load_mask(item.record.truth_path) != 255).sum() for item in pictures[:9]
    )
    assert found[0].classes == tuple(k for k in np.unique(truth).tolist() if k not in (0, 255))


@pytest.mark.slow
def test_worker_processes_find_the_same(tmp_path):
    draw = np.random.default_rng(0)
    pictures = [
        picture(
            tmp_path, draw.integers(0, 3, (6, 7)), mask=draw.integers(0, 3, (6, 7)), name=f'{k}'
        )
        for k in range(130)
    ]
    here, totals = score(pictures)
    there, others = score_pictures(pictures, (MASKS, SEEDS), 3, workers=2)
    assert there == here
    assert all(np.array_equal(totals[key], others[key]) for key in totals)
    assert set(totals) == set(others)
