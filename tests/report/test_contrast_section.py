"""The report's section on the contrast: what it shows of the hook's record."""

import json
from pathlib import Path
from typing import Any

import pytest

from mmppc.report.collect import collect
from mmppc.report.contrast_section import contrast_curves
from mmppc.report.loss_chart import training_curves
from mmppc.report.markup import DASH
from mmppc.report.page import write_report
from mmppc.storage.contrast_quality import NAME, append_evaluation

CLASSES = ['background', 'cat & dog', 'bus']


def evaluation(step: int, accuracy: float | None) -> dict[str, Any]:
    return {
        'iteration': step, 'split': 'val', 'pictures': 8, 'batch_size': 4, 'grid': [4, 6],
        'classes': CLASSES, 'label_accuracy': accuracy, 'labelled_foreground': 0.6,
        'true_foreground': 0.25, 'cosine_own': 0.9,
        'by_class': {'true': [0.75, 0.25, 0.0], 'label_accuracy': [0.5, 0.875, None]},
        'prototype_similarity': [[1.0, 0.5, None], [0.5, 1.0, None], [None, None, None]],
        'gradients': {'tags': 0.02, 'contrast': None if accuracy is None else 0.5, 'loss_intra': 0.1},
    }  # fmt: skip


def work_folder(folder: Path) -> Path:
    for step, accuracy in ((0, 0.125), (50, None), (100, 0.625)):
        append_evaluation(folder / NAME, evaluation(step, accuracy))
    log = folder / '20260101_120000/vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    rows = [{'loss': 1.0, 'step': 10}, {'contrast/label_accuracy': 0.1, 'step': 50}]
    log.write_text('\n'.join(json.dumps(row) for row in rows))
    return folder


def test_curves_table_and_matrix(tmp_path: Path) -> None:
    (stage,) = collect(work_folder(tmp_path)).stages
    section = contrast_curves(stage)
    assert section is not None
    assert section.conditions == '8 pictures of val in batches of 4, on a grid of 4 x 6 cells'
    titles = [panel.title for panel in section.panels]
    assert titles[0] == 'Pseudo labels that are right (%)'
    assert titles[-2:] == ['Cosines', 'Gradients at the backbone']
    (told,) = json.loads(
        str(section.panels[0].chart).split('data-points="')[1].split('"')[0].replace('&#34;', '"')
    )['lines'][:1]
    assert told['x'] == [0, 50, 100]
    assert told['y'] == [12.5, None, 62.5]
    assert section.panels[0].keys[0] == ('of all cells 62.5', 'c1')
    assert [key[0] for key in section.panels[-1].keys] == ['tags 0.02', 'contrast 0.5']
    assert [row[:2] for row in section.rows] == [('0', '0.1250'), ('50', DASH), ('100', '0.6250')]
    assert section.last == 100
    assert section.class_rows[1][:4] == ('cat & dog', '25.0', DASH, '87.5')
    assert section.heat[0] == (('1.00', 60), ('0.50', 30), (DASH, 0))
    # What has a section of its own is not among the curves of the log.
    curves = training_curves(stage)
    assert curves is not None
    assert [panel.name for panel in curves.panels] == ['loss']


def test_the_page_holds_it_and_a_broken_record_is_noted(tmp_path: Path) -> None:
    text = write_report(work_folder(tmp_path / 'a'), workers=0).read_text(encoding='utf-8')
    assert '<h2 id="contrast-head">Contrast</h2>' in text
    assert '<a href="#contrast">Contrast</a>' in text
    assert (
        '<th scope="row">cat &amp; dog</th><td class="number" style="--heat:30%">0.50</td>' in text
    )
    broken = work_folder(tmp_path / 'b')
    (broken / NAME).write_text('{"iteration": "0"}\n')
    run = collect(broken)
    assert run.stages[0].contrast == ()
    assert any(f'{NAME}, line 1: expected an object' in note for note in run.notes)
    text = write_report(broken, workers=0).read_text(encoding='utf-8')
    assert 'contrast-head' not in text


def test_without_figures_it_has_gaps(tmp_path: Path) -> None:
    append_evaluation(tmp_path / NAME, {'iteration': 0})
    (tmp_path / 'iter_1.pth').touch()
    (stage,) = collect(tmp_path).stages
    section = contrast_curves(stage)
    assert section is not None
    assert section.heat == ()
    assert section.class_rows == ()
    assert set(section.rows[0][1:]) == {DASH}


@pytest.mark.parametrize('number', [1, 30])
def test_many_classes_have_no_matrix(tmp_path: Path, number: int) -> None:
    names = [f'c{k}' for k in range(number)]
    matrix = [[1.0] * number for _ in names]
    append_evaluation(
        tmp_path / NAME, {'iteration': 0, 'classes': names, 'prototype_similarity': matrix}
    )
    (tmp_path / 'iter_1.pth').touch()
    section = contrast_curves(collect(tmp_path).stages[0])
    assert section is not None
    assert len(section.heat) == (1 if number == 1 else 0)
