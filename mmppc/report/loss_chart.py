"""Curves of a training: a small chart for each loss term, the learning rate and whatever else was logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from mmppc.report.axes import Axis, fixed_axis, linear_axis, log_axis
from mmppc.report.line_plot import Line, Mark, line_plot
from mmppc.report.records import Scalars, Stage

_SKIPPED = frozenset({'base_lr', 'time', 'data_time', 'memory'})
_ORDER = ('loss', 'rate', 'other')
_ROWS = 12
_SMOOTHED_FROM = 8
"""Points below which a line is shown as it is."""


@dataclass(frozen=True)
class Panel:
    """One small chart.

    Attributes:
        name: As in the log.
        group: ``loss``, ``rate`` or ``other``.
        last: The last value, as text.
        chart: The chart as HTML.
    """

    name: str
    group: str
    last: str
    chart: Markup


@dataclass(frozen=True)
class TrainingCurves:
    """All of a training.

    Attributes:
        title: The stage's.
        steps: Iterations so far.
        resumed_at: Iterations at which the training went on after an interruption.
        panels: The loss first, then its terms, the learning rate, the others.
        has_log: Whether there is a loss with positive values to draw on a logarithmic axis.
        columns: Names of the table's columns.
        rows: Some iterations with their values as text.
    """

    title: str
    steps: int
    resumed_at: tuple[int, ...]
    panels: tuple[Panel, ...]
    has_log: bool
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def training_curves(stage: Stage) -> TrainingCurves | None:
    """The curves of a stage; None if it has logged nothing."""
    series = {
        name: values
        for name, values in stage.scalars.series.items()
        if name not in _SKIPPED and len(values[0])
    }
    names = sorted(
        (name for name in series if _group(name) is not None),
        key=lambda name: (_ORDER.index(_group(name) or 'other'), name != 'loss'),
    )
    if not names:
        return None
    last = max(int(series[name][0][-1]) for name in names)
    x_axis = fixed_axis(0, last, ticks=4)
    panels = tuple(_panel(name, series[name], x_axis, stage.scalars, stage.title) for name in names)
    return TrainingCurves(
        title=stage.title,
        steps=last,
        resumed_at=stage.scalars.resumed_at,
        panels=panels,
        has_log=any(panel.group == 'loss' for panel in panels),
        columns=('iteration', *names),
        rows=_rows(names, series),
    )


def smoothed(values: np.ndarray, window: float) -> np.ndarray:
    """Exponential moving average whose start is not pulled to 0; NaN stays NaN and does not count.

    Args:
        values: (N,).
        window: Points that an average covers, about.
    """
    keep = 1 - 2 / (window + 1)
    total = weight = 0.0
    result = np.full(len(values), np.nan)
    for index, value in enumerate(values):
        total, weight = total * keep, weight * keep
        if not np.isnan(value):
            total, weight = total + value, weight + 1
            result[index] = total / weight
    return result


def _group(name: str) -> str | None:
    """Where a scalar belongs; None for the parts of figures (an IoU a class), of which there may be hundreds."""
    last = name.rsplit('.', 1)[-1]
    if last == 'lr' or last.endswith('_lr'):
        return 'rate'
    if 'loss' in last:
        return 'loss'
    if name.count('/') > 1 or name.endswith(_COUNTS) or name.startswith(_ELSEWHERE):
        return None
    return 'other'


_ELSEWHERE = 'contrast/'  # has a section of its own
_COUNTS = ('/pictures', '/skipped', '/threshold')


def _panel(
    name: str, points: tuple[np.ndarray, np.ndarray], x_axis: Axis, scalars: Scalars, title: str
) -> Panel:
    steps, values = points
    group = _group(name) or 'other'
    lines = [Line(name, steps.astype(np.float64), values, 'c1')]
    if len(values) >= _SMOOTHED_FROM and group != 'rate':
        smooth = smoothed(values, max(3.0, len(values) / 12))
        lines = [
            Line(f'{name}, as logged', lines[0].x, values, 'c1 raw'),
            Line(f'{name}, smoothed', lines[0].x, smooth, 'c1 smooth'),
        ]
    y_axes = [('linear', linear_axis(values, ticks=3, zero=group == 'loss'))]
    log = log_axis(values) if group == 'loss' else None
    y_axes.append(('log', log or y_axes[0][1]))
    known = values[np.isfinite(values)]
    last = f'{known[-1]:.4g}' if known.size else 'no number'
    chart = line_plot(
        lines,
        x_axis,
        y_axes,
        label=f'{title}: {name} over {int(x_axis.high)} iterations, last value {last}',
        marks=[Mark(step, '', 'resumed') for step in scalars.resumed_at],
        x_name='iteration',
    )
    return Panel(name, group, last, chart)


def _rows(
    names: Sequence[str], series: dict[str, tuple[np.ndarray, np.ndarray]]
) -> tuple[tuple[str, ...], ...]:
    """Values at some iterations, evenly spread, the last one among them."""
    steps = np.unique(np.concatenate([series[name][0] for name in names]))
    if len(steps) > _ROWS:
        steps = steps[np.unique(np.linspace(0, len(steps) - 1, _ROWS).round().astype(int))]
    values = {name: dict(zip(series[name][0].tolist(), series[name][1].tolist())) for name in names}

    def cell(name: str, step: int) -> str:
        value = values[name].get(step)
        return '' if value is None else 'no number' if np.isnan(value) else f'{value:.4g}'

    return tuple((f'{step:,}', *(cell(name, step) for name in names)) for step in steps.tolist())
