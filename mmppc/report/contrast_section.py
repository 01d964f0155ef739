"""What became of pseudo labels and prototypes while a network was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from mmppc.report.axes import fixed_axis, linear_axis, log_axis
from mmppc.report.line_plot import Line, line_plot
from mmppc.report.markup import DASH
from mmppc.report.records import Stage

PANELS: tuple[tuple[str, Mapping[str, str]], ...] = (
    (
        'Pseudo labels that are right',
        {'label_accuracy': 'of all cells', 'label_class_accuracy': 'mean over classes'},
    ),
    (
        'Foreground',
        {
            'labelled_foreground': 'cells labelled foreground',
            'true_foreground': 'cells that are foreground',
            'foreground_recall': 'of the foreground, found',
            'background_false_positive': 'of the background, labelled foreground',
        },
    ),
    (
        'Prototypes',
        {
            'prototype_purity': 'their pixels that are of the class',
            'nearest_true': 'pixels nearest to their true class',
            'nearest_true_class': 'the same, mean over classes',
            'nearest_label': 'pixels nearest to their pseudo label',
        },
    ),
    (
        'Cosines',
        {
            'cosine_own': 'to the true class',
            'cosine_other': 'to the best other class',
            'prototype_similarity_mean': 'between prototypes',
        },
    ),
)
"""Charts: title, and figures with what readers call them; all but cosines in percent."""

_COLUMNS = {
    'true': 'true, %',
    'labelled': 'labelled, %',
    'label_accuracy': 'found, %',
    'label_precision': 'right, %',
    'prototype_purity': 'prototype pixels right, %',
    'nearest_true': 'nearest to its prototype, %',
}
_ROWS = 12
_HEAT_UP_TO = 25


@dataclass(frozen=True)
class ContrastPanel:
    """A chart with the names of its lines and their styles."""

    title: str
    keys: tuple[tuple[str, str], ...]
    chart: Markup


@dataclass(frozen=True)
class ContrastCurves:
    """All of a training.

    Attributes:
        title: The stage's.
        conditions: On which pictures, for people.
        panels: The charts.
        columns: Names of the table's columns.
        rows: Some evaluations as text.
        last: Iteration of the last evaluation, which the following are of.
        class_columns: Names of the columns of the classes' table.
        class_rows: A row a class.
        classes: Names, background first.
        heat: Rows of the similarity matrix: (text, strength of the colour in percent) a cell; empty if too large.
    """

    title: str
    conditions: str
    panels: tuple[ContrastPanel, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    last: int
    class_columns: tuple[str, ...]
    class_rows: tuple[tuple[str, ...], ...]
    classes: tuple[str, ...]
    heat: tuple[tuple[tuple[str, int], ...], ...]


def contrast_curves(stage: Stage) -> ContrastCurves | None:
    """The section of a stage; None if ``ContrastQualityHook`` left nothing."""
    lines = stage.contrast
    if not lines:
        return None
    last = lines[-1]
    classes = tuple(str(name) for name in last.get('classes') or ())
    steps = np.array([line['iteration'] for line in lines], np.float64)
    panels = [
        _panel(stage.title, title, steps, {label: _values(lines, n) for n, label in names.items()})
        for title, names in PANELS
    ]
    gradients = {
        name: np.array([_number(_mapping(line.get('gradients')).get(name)) for line in lines])
        for name in _mapping(last.get('gradients'))
        if not name.startswith('loss_')
    }
    if gradients:
        panels.append(_panel(stage.title, 'Gradients at the backbone', steps, gradients))
    names = [name for _, figures in PANELS for name in figures]
    places = np.unique(np.linspace(0, len(lines) - 1, min(_ROWS, len(lines))).round().astype(int))
    by_class = _mapping(last.get('by_class'))
    return ContrastCurves(
        title=stage.title,
        conditions=_conditions(last),
        panels=tuple(panels),
        columns=('iteration', *names),
        rows=tuple(
            (f'{lines[k]["iteration"]:,}', *(_text(lines[k].get(name)) for name in names))
            for k in places
        ),
        last=int(last['iteration']),
        class_columns=('class', *_COLUMNS.values()),
        class_rows=tuple(
            (name, *(_percent(_at(by_class.get(column), k)) for column in _COLUMNS))
            for k, name in enumerate(classes)
        ),
        classes=classes,
        heat=_heat(last.get('prototype_similarity'), len(classes)),
    )


def _panel(
    stage: str, title: str, steps: np.ndarray, series: Mapping[str, np.ndarray]
) -> ContrastPanel:
    is_gradient, is_cosine = title.startswith('Gradients'), title == 'Cosines'
    factor = 1.0 if is_gradient or is_cosine else 100.0
    lines = [
        Line(label, steps, factor * values, f'c{1 + k % 5}')
        for k, (label, values) in enumerate(series.items())
    ]
    values = np.concatenate([line.y for line in lines])
    axis = linear_axis(values, ticks=4, zero=True)
    if is_gradient:
        axis = log_axis(values) or axis
    told = '; '.join(f'{line.label} {line.y[-1]:.3g}' for line in lines)
    chart = line_plot(
        lines,
        fixed_axis(0, float(steps[-1]), ticks=4),
        [('linear', axis)],
        label=f'{stage}: {title} over {int(steps[-1])} iterations, last values: {told}',
        unit='' if factor == 1 else '%',
        x_name='iteration',
    )
    unit = '' if factor == 1 else ' (%)'
    keys = tuple((f'{line.label} {_last(line.y)}', line.style) for line in lines)
    return ContrastPanel(title + unit, keys, chart)


def _values(lines: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.array([_number(line.get(name)) for line in lines], np.float64)


def _conditions(line: Mapping[str, Any]) -> str:
    pictures, split, batch = (line.get(key) for key in ('pictures', 'split', 'batch_size'))
    where = 'of a data set of their own' if split == 'own' else f'of {split}'
    grid = line.get('grid')
    cells = f', on a grid of {grid[0]} x {grid[1]} cells' if isinstance(grid, list) else ''
    return f'{pictures} pictures {where} in batches of {batch}{cells}'


def _heat(matrix: Any, number: int) -> tuple[tuple[tuple[str, int], ...], ...]:
    if not isinstance(matrix, list) or len(matrix) != number or number > _HEAT_UP_TO:
        return ()
    rows = []
    for row in range(number):
        cells = [_number(_at(matrix[row], column)) for column in range(number)]
        # Embeddings are not negative behind a ReLU; without one, nothing below 0 has a colour.
        rows.append(
            tuple(
                (DASH, 0) if np.isnan(c) else (f'{c:.2f}', round(60 * min(max(c, 0.0), 1.0)))
                for c in cells
            )
        )
    return tuple(rows)


def _mapping(content: Any) -> Mapping[str, Any]:
    return content if isinstance(content, Mapping) else {}


def _at(values: Any, place: int) -> Any:
    return values[place] if isinstance(values, list) and place < len(values) else None


def _number(value: Any) -> float:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if known else np.nan


def _last(values: np.ndarray) -> str:
    return DASH if np.isnan(values[-1]) else f'{values[-1]:.3g}'


def _text(value: Any) -> str:
    number = _number(value)
    return DASH if np.isnan(number) else f'{number:.4f}'


def _percent(value: Any) -> str:
    number = _number(value)
    return DASH if np.isnan(number) else f'{100 * number:.1f}'
