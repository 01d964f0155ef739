"""mIoU of the seeds at every background threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from mmppc.report.axes import fixed_axis, linear_axis
from mmppc.report.line_plot import Dot, Line, Mark, line_plot
from mmppc.report.records import SeedCurve, Threshold

_ROWS = 13


@dataclass(frozen=True)
class CurveKey:
    """An entry of the legend.

    Attributes:
        label: Which seeds.
        style: CSS classes of its line.
        best: What its best point is, in words.
    """

    label: str
    style: str
    best: str


@dataclass(frozen=True)
class ThresholdChart:
    """The chart, its legend and its table."""

    chart: Markup
    keys: tuple[CurveKey, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def threshold_chart(
    curves: Sequence[tuple[str, str, SeedCurve]], chosen: Threshold | None
) -> ThresholdChart | None:
    """All curves in one chart, with their best points and the chosen threshold; None without a curve.

    Args:
        curves: Label, CSS classes and curve.
        chosen: The threshold that the run settled on.
    """
    curves = [item for item in curves if len(item[2].thresholds)]
    if not curves:
        return None
    x = np.concatenate([curve.thresholds for _, _, curve in curves])
    y = np.concatenate([curve.miou for _, _, curve in curves])
    x_axis = fixed_axis(float(x.min()), float(x.max()), ticks=6)
    lines, dots, keys, told = [], [], [], []
    for label, style, curve in curves:
        lines.append(Line(label, curve.thresholds, curve.miou, style))
        place = curve.at(curve.best)
        best = f'best at {curve.best:g}'
        if place is not None and not np.isnan(curve.miou[place]):
            dots.append(Dot(curve.best, float(curve.miou[place]), style))
            best = f'best {curve.miou[place]:.2f} % at {curve.best:g}'
            if place in (0, len(curve.thresholds) - 1) and len(curve.thresholds) > 2:
                best += ', the end of the range: the best may lie beyond'
        keys.append(CurveKey(label, style, best))
        told.append(f'{label}: {best}')
    marks = []
    if chosen is not None:
        marks.append(Mark(chosen.value, f'chosen: {chosen.value:g}', 'chosen'))
        told.append(f'chosen: {chosen.value:g}, {chosen.source}')
    chart = line_plot(
        lines,
        x_axis,
        [('linear', linear_axis(y, ticks=5, zero=True))],
        label=f'mIoU of the seeds over the background threshold. {"; ".join(told)}',
        marks=marks,
        dots=dots,
        unit='%',
        x_name='threshold',
    )
    columns, rows = _table(curves, chosen)
    return ThresholdChart(chart, tuple(keys), columns, rows)


def _table(
    curves: Sequence[tuple[str, str, SeedCurve]], chosen: Threshold | None
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Some thresholds, evenly spread, with the best ones and the chosen one."""
    known = np.unique(np.concatenate([curve.thresholds for _, _, curve in curves]))
    places = np.linspace(0, len(known) - 1, min(_ROWS, len(known)))
    shown = known[places.round().astype(int)]
    reasons: dict[float, list[str]] = {float(value): [] for value in shown}
    for label, _, curve in curves:
        reasons.setdefault(curve.best, []).append(f'best of {label}')
    if chosen is not None:
        reasons.setdefault(chosen.value, []).append('chosen')
    rows = []
    for threshold in sorted(reasons):
        cells = [f'{threshold:g}']
        for _, _, curve in curves:
            place = curve.at(threshold)
            value = np.nan if place is None else curve.miou[place]
            cells.append('' if np.isnan(value) else f'{value:.2f}')
        rows.append((*cells, ', '.join(reasons[threshold])))
    return ('threshold', *(f'{label}, mIoU (%)' for label, _, _ in curves), ''), tuple(rows)
