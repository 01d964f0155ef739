"""IoU of the classes, all evaluations side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mmppc.report.figures import Series
from mmppc.report.markup import DASH, element, number


@dataclass(frozen=True)
class ClassRow:
    """A class and its bars.

    Attributes:
        name: Of the class.
        colour: Of the class in masks, as CSS.
        bars: A bar an evaluation, as SVG, or None where the class does not occur.
        values: The same as text.
        rank: IoU in the last evaluation that has it, to sort by; -1 if none has.
    """

    name: str
    colour: str
    bars: tuple[tuple[Markup, str, str], ...]
    values: tuple[str, ...]
    rank: float


def class_rows(
    series: Sequence[Series], classes: Sequence[str], colours: Sequence[str]
) -> list[ClassRow]:
    """A row for every class, in the data's order; classes that no evaluation knows are left out."""
    shown = [item for item in series if item.evaluation.iou]
    rows = []
    for name, colour in zip(classes, colours):
        found = [item.evaluation.iou.get(name) for item in shown]
        if not any(name in item.evaluation.iou for item in shown):
            continue
        bars = tuple(
            (_bar(value, item.style), DASH if value is None else f'{value:.1f}', item.label)
            for item, value in zip(shown, found)
        )
        values = tuple(DASH if value is None else f'{value:.1f}' for value in found)
        known = [value for value in found if value is not None]
        rows.append(ClassRow(name, colour, bars, values, known[-1] if known else -1.0))
    return rows


def _bar(value: float | None, style: str) -> Markup:
    """A bar as wide as its percentage, in an SVG as wide as its cell."""
    rect = (
        ''
        if value is None
        else element('rect', class_=style, width=f'{number(value)}%', height='100%')
    )
    return element('svg', rect, class_='bar', aria_hidden='true', focusable='false')
