"""Logs are joined by step, whatever happened to the training."""

import json

import numpy as np
import pytest

from mmppc.report.scalars import read_scalars


def write(folder, time, rows, tail=''):
    path = folder / time / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(json.dumps(row) for row in rows) + '\n' + tail)


def rows(steps, loss):
    return [{'loss': loss, 'lr': 0.1, 'iter': step, 'step': step} for step in steps]


def test_a_resumed_training_is_one_line(tmp_path):
    write(tmp_path, '20260101_000000', rows([10, 20, 30, 40], 1.0))
    write(tmp_path, '20260101_010000', rows([30, 40, 50], 2.0))
    scalars, notes = read_scalars(tmp_path)
    steps, values = scalars.series['loss']
    assert steps.tolist() == [10, 20, 30, 40, 50]
    assert values.tolist() == [1, 1, 2, 2, 2]
    assert scalars.resumed_at == (30,)
    assert notes == []
    assert set(scalars.series) == {'loss', 'lr'}


def test_a_training_begun_anew_replaces_the_old_one(tmp_path):
    write(tmp_path, '20260101_000000', rows([10, 20, 30, 40], 1.0))
    write(tmp_path, '20260101_010000', rows([30, 40], 2.0))
    write(tmp_path, '20260102_000000', rows([10, 20], 3.0))
    scalars, _ = read_scalars(tmp_path)
    assert scalars.series['loss'][0].tolist() == [10, 20]
    assert scalars.series['loss'][1].tolist() == [3, 3]
    assert scalars.resumed_at == ()


def test_no_number_is_a_gap_and_a_cut_line_is_passed_over(tmp_path):
    content = rows([10, 20], 1.0)
    content[1]['loss'] = float('nan')
    write(tmp_path, 'a', content, tail='{"loss": 0.5, "st')
    scalars, notes = read_scalars(tmp_path)
    assert scalars.series['loss'][0].tolist() == [10, 20]
    assert np.isnan(scalars.series['loss'][1][1])
    assert notes == []


def test_broken_lines_within_are_noted(tmp_path):
    path = tmp_path / 'a/vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('{"step": 1, "loss": 2}\nnonsense\n[]\n{"step": 2, "loss": 1}\n')
    scalars, notes = read_scalars(tmp_path)
    assert scalars.series['loss'][1].tolist() == [2, 1]
    assert len(notes) == 1
    assert '2 lines that are no JSON' in notes[0]


def test_validations_stand_at_their_iteration(tmp_path):
    # By iteration their step is that; by epoch it is the epoch, which must not be taken for a resumption.
    write(tmp_path, 'a', [*rows([10, 20], 1.0), {'mIoU': 40.0, 'step': 20}])
    by_epoch = [
        {'loss': 1.0, 'epoch': 1, 'iter': 50, 'step': 50},
        {'mIoU': 30.0, 'step': 1},
        {'loss': 1.0, 'epoch': 2, 'iter': 100, 'step': 100},
        {'mIoU': 35.0, 'step': 2},
    ]
    scalars, _ = read_scalars(tmp_path)
    assert scalars.series['mIoU'][0].tolist() == [20]
    other = tmp_path / 'other'
    write(other, 'a', by_epoch[:2])
    write(other, 'b', by_epoch[2:])
    scalars, _ = read_scalars(other)
    assert scalars.series['mIoU'][0].tolist() == [50, 100]
    assert scalars.series['mIoU'][1].tolist() == [30, 35]
    assert scalars.series['loss'][0].tolist() == [50, 100]


@pytest.mark.parametrize('make', [False, True])
def test_nothing_logged(tmp_path, make):
    if make:
        write(tmp_path, 'a', [])
    scalars, notes = read_scalars(tmp_path / ('.' if make else 'missing'))
    assert scalars.series == {}
    assert notes == []
