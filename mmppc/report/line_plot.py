"""Line plots: geometry as an SVG that fills whatever width there is, texts as HTML that never shrink."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from mmppc.report.axes import Axis
from mmppc.report.markup import element, join, number

_UNITS = 1000
"""Size of the SVG's own coordinates, in both directions."""
_POINTS = 400


@dataclass(frozen=True)
class Line:
    """A line of a plot.

    Attributes:
        label: For people.
        x: (N,) ascending.
        y: (N,), NaN for gaps.
        style: CSS classes of its path.
        told: Whether it is named where the pointer is.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    style: str
    told: bool = True


@dataclass(frozen=True)
class Mark:
    """A vertical line with a text at its top.

    Attributes:
        x: Where.
        text: What it says; empty for a line alone.
        style: CSS classes.
    """

    x: float
    text: str
    style: str = ''


@dataclass(frozen=True)
class Dot:
    """A point to stand out."""

    x: float
    y: float
    style: str


def line_plot(
    lines: Sequence[Line],
    x_axis: Axis,
    y_axes: Sequence[tuple[str, Axis]],
    *,
    label: str,
    marks: Sequence[Mark] = (),
    dots: Sequence[Dot] = (),
    unit: str = '',
    x_name: str = '',
) -> Markup:
    """A plot as HTML.

    Args:
        lines: What to draw.
        x_axis: Horizontal axis.
        y_axes: Vertical ones by name, ``linear`` and perhaps ``log``: the plot is drawn for each, CSS shows one.
        label: What the chart is, for those who do not see it.
        marks: Vertical lines.
        dots: Points.
        unit: Follows the values where the pointer is.
        x_name: Name of the horizontal axis.
    """
    thin = [_thinned(line) for line in lines]
    parts: list[Markup] = []
    for name, axis in y_axes:
        ticks = [
            element('span', text, class_='ytick', style=f'top:{number(100 - 100 * place)}%')
            for place, text in zip(axis.place(np.array(axis.ticks)), axis.labels())
        ]
        grid = ''.join(
            f'M0 {number(_UNITS - _UNITS * place)}H{_UNITS}'
            for place in axis.place(np.array(axis.ticks))
        )
        shapes = [element('path', class_='grid', d=grid)]
        shapes += [
            element('path', class_=f'line {line.style}', d=_path(line, x_axis, axis))
            for line in thin
        ]
        shapes += [
            element(
                'path',
                class_=f'dot {dot.style}',
                d=_path_of_points(
                    x_axis.place(np.array([dot.x])), axis.place(np.array([dot.y])), dot=True
                ),
            )
            for dot in dots
        ]
        svg = element(
            'svg',
            *shapes,
            viewBox=f'0 0 {_UNITS} {_UNITS}',
            preserveAspectRatio='none',
            aria_hidden='true',
            focusable='false',
        )
        parts.append(element('div', svg, *ticks, class_=f'scale {name}'))
    for mark in marks:
        place = float(x_axis.place(np.array([mark.x]))[0])
        if 0 <= place <= 1:
            side = ' left' if place > 0.6 else ''
            text = element('span', mark.text) if mark.text else ''
            parts.append(
                element(
                    'div',
                    text,
                    class_=f'mark {mark.style}{side}',
                    style=f'left:{number(100 * place)}%',
                )
            )
    parts += [
        element('span', text, class_='xtick', style=f'left:{number(100 * place)}%')
        for place, text in zip(x_axis.place(np.array(x_axis.ticks)), x_axis.labels())
    ]
    told = [_for_pointer(line) for line in thin if line.told]
    content = {'x': [x_axis.low, x_axis.high], 'unit': unit, 'name': x_name, 'lines': told}
    return element(
        'div',
        element('div', join(parts), class_='area'),
        class_='plot',
        role='img',
        aria_label=label,
        tabindex='0',
        data_points=json.dumps(content, separators=(',', ':')),
    )


def _thinned(line: Line) -> Line:
    """A line of at most some hundred points; the lowest and the highest of every stretch stay, so no spike is lost."""
    count = len(line.x)
    if count <= _POINTS:
        return line
    keep = {0, count - 1}
    for part in np.array_split(np.arange(count), _POINTS // 2):
        values = line.y[part]
        if np.isnan(values).all():
            keep.add(int(part[0]))
        else:
            keep.update((int(part[np.nanargmin(values)]), int(part[np.nanargmax(values)])))
    places = np.array(sorted(keep))
    return Line(line.label, line.x[places], line.y[places], line.style, line.told)


def _path(line: Line, x_axis: Axis, y_axis: Axis) -> str:
    return _path_of_points(x_axis.place(line.x), y_axis.place(line.y))


def _path_of_points(x: np.ndarray, y: np.ndarray, *, dot: bool = False) -> str:
    """An SVG path; gaps where a coordinate is NaN. A point by itself is a line of no length, with round ends."""
    parts = []
    pen = False
    known = np.isfinite(x) & np.isfinite(y)
    for index in range(len(x)):
        if not known[index]:
            pen = False
            continue
        place = f'{number(_UNITS * x[index])} {number(_UNITS - _UNITS * y[index])}'
        alone = not (index + 1 < len(x) and known[index + 1]) and not pen
        parts.append(f'L{place}' if pen else f'M{place}' + ('h0' if alone or dot else ''))
        pen = True
    return ''.join(parts)


def _for_pointer(line: Line) -> dict:
    return {
        'label': line.label,
        'x': [float(f'{value:.6g}') for value in line.x],
        'y': [None if np.isnan(value) else float(f'{value:.4g}') for value in line.y],
    }
