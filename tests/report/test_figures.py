"""Figures and where they come from."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mmppc.report.collect import collect
from mmppc.report.columns import find_columns
from mmppc.report.figures import all_series, key_figures
from mmppc.report.picture_scores import score_pictures
from mmppc.report.records import Threshold


def report_of(folder, name):
    return json.loads((folder / name).read_text())


def test_key_figures_with_their_conditions(finished):
    run = collect(finished)
    figures = key_figures(run, all_series(run))
    train = report_of(finished, 'train_seeds/seed_metric_train.json')
    val = report_of(finished, 'val_seeds/seed_metric_val.json')
    found = {(figure.name, figure.split): figure for figure in figures}
    assert list(found) == [
        ('Tag mAP', 'train'), ('Tag mAP', 'val'), ('Seed mIoU', 'train'), ('Seed mIoU', 'val'), ('Mask mIoU', 'train'),
        ('Final mIoU', 'val'),
    ]  # fmt: skip
    assert found['Tag mAP', 'val'].conditions == ('7 pictures', 'scales 0.5, 1', 'flip')
    seeds = found['Seed mIoU', 'val']
    # Not its own best, but the one at the threshold chosen on train.
    assert val['given_threshold']['threshold'] == train['best_threshold'] != val['best_threshold']
    assert seeds.value == f'{val["given_threshold"]["mIoU"]:.1f}'
    assert seeds.conditions[:2] == (
        '7 pictures',
        f'threshold {train["best_threshold"]:g} (best of train_seeds on train)',
    )
    assert seeds.remark == f'{val["mIoU"]:.1f} at {val["best_threshold"]:g}, the best of val itself'
    assert found['Seed mIoU', 'train'].remark == ''
    final = report_of(finished, 'final/mask_metric_val.json')
    assert found['Final mIoU', 'val'].value == f'{final["mIoU"]:.1f}'
    assert found['Final mIoU', 'val'].conditions == (
        '7 pictures',
        'scales 0.5, 1',
        'flip',
        'no CRF',
    )


def test_the_files_stand_in_for_reports_and_agree_with_them(finished):
    run = collect(finished)
    columns, pictures = find_columns(run)
    _, counted = score_pictures(pictures, columns, len(run.data.classes), workers=0)
    said = {item.label: item.evaluation for item in all_series(run, columns, counted)}
    bare = replace(
        run, stages=tuple(replace(stage, evaluations=(), curves=()) for stage in run.stages)
    )
    found = {item.label: item.evaluation for item in all_series(bare, columns, counted)}
    assert (
        list(said)
        == list(found)
        == ['seeds, train', 'seeds, val', 'masks, train', 'segmentation, val']
    )
    for label, evaluation in found.items():
        assert evaluation.miou == pytest.approx(said[label].miou, abs=0.006)
        assert np.array_equal(evaluation.confusion, said[label].confusion)
        assert 'measured from the files' in evaluation.conditions[-1]
    # masks.json holds no matrix: it was counted.
    assert run.stages[3].evaluations[0].confusion is None


def test_a_threshold_that_is_no_point_of_the_curve(finished):
    run = replace(collect(finished), threshold=Threshold(0.777, 'given'))
    seeds = all_series(run)[0].evaluation
    best = report_of(finished, 'train_seeds/seed_metric_train.json')
    assert seeds.miou == best['mIoU']
    assert seeds.conditions[0] == f'threshold {best["best_threshold"]:g} (best of train itself)'


def test_two_masks_are_told_apart(finished):
    run = collect(finished)
    masks = next(stage for stage in run.stages if stage.name == 'masks')
    run = replace(run, stages=(*run.stages, replace(masks, name='walk', title='random walk')))
    series = all_series(run)
    assert [item.label for item in series if item.evaluation.kind == 'masks'] == [
        'masks, train (pseudo masks)', 'masks, train (random walk)',
    ]  # fmt: skip
    assert len({item.style for item in series}) == 5
    figures = [figure for figure in key_figures(run, series) if figure.name == 'Mask mIoU']
    assert [figure.stage for figure in figures] == ['pseudo masks', 'random walk']


def test_a_manifest_speaks_for_a_stage_without_reports(finished, run_copy):
    path = run_copy / 'final/manifest.json'
    (run_copy / 'final/mask_metric_val.json').unlink()
    figure = {'name': 'mIoU', 'value': 12.34, 'split': 'val', 'conditions': 'scales 1; CRF none'}
    path.write_text(
        json.dumps(
            {**json.loads(path.read_text()), 'figures': [figure, {'name': 'x', 'value': None}]}
        )
    )
    run = collect(run_copy)
    last = key_figures(run, all_series(run))[-1]
    assert (last.name, last.value, last.conditions) == ('mIoU', '12.3', ('scales 1; CRF none',))
