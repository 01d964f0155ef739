"""Confusion matrices as shares of the true class, with counts where the pointer is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from mmppc.report.figures import Series
from mmppc.report.markup import DASH, element, join, number

LEVELS = 24
"""Shades of the ramp."""
SWITCHES = {'dark-ink': 11, 'light-ink': 16}
"""Shades from which on a cell's number is black in the dark theme and white in the light one."""
SHOWN = 0.005
"""Smallest share that is drawn."""
_NUMBERS_UP_TO = 25
_TABLE_UP_TO = 25
_TAKEN_FOR = 3
NARROW = '\u00a0'
"""Keeps a number and its unit on one line."""


@dataclass(frozen=True)
class Confused:
    """What the pixels of a true class were taken for.

    Attributes:
        name: The class.
        pixels: Pixels of it.
        right: Share of them with the right label.
        wrong: The most frequent wrong labels with their shares.
    """

    name: str
    pixels: str
    right: str
    wrong: str


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix.

    Attributes:
        label: Of which evaluation.
        chart: SVG.
        content: JSON for the pointer: classes, counts, size of a cell, offset.
        summary: A line a class.
        table: Shares in percent as text, row by row; empty where there are too many classes to read it.
    """

    label: str
    chart: Markup
    content: str
    summary: tuple[Confused, ...]
    table: tuple[tuple[str, ...], ...]


def confusion_matrices(series: Sequence[Series], classes: Sequence[str]) -> list[Matrix]:
    """The matrices of all evaluations that have one for these classes."""
    return [
        _matrix(item, list(classes), item.evaluation.confusion)
        for item in series
        if item.evaluation.confusion is not None and len(item.evaluation.confusion) == len(classes)
    ]


def shade(shares: np.ndarray) -> np.ndarray:
    """Shade of each share, 0 .. :data:`LEVELS`; 0 only for what is too little to see."""
    rounded = np.rint(shares * LEVELS).astype(int)
    return np.where(shares >= SHOWN, np.maximum(rounded, 1), 0)


def _matrix(item: Series, classes: list[str], counts: np.ndarray) -> Matrix:
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), 0.0)
    cell = 46 if len(classes) <= 10 else 32 if len(classes) <= _NUMBERS_UP_TO else 11
    chart = _chart(item.label, classes, shares, cell)
    content = {'cell': cell, 'classes': classes, 'counts': counts.tolist()}
    table: tuple[tuple[str, ...], ...] = ()
    if len(classes) <= _TABLE_UP_TO:
        table = tuple(tuple(f'{100 * share:.1f}' for share in row) for row in shares)
    return Matrix(
        item.label,
        chart,
        json.dumps(content, separators=(',', ':')),
        tuple(_confused(row, classes, counts, shares) for row in range(len(classes))),
        table,
    )


def _chart(label: str, classes: Sequence[str], shares: np.ndarray, cell: int) -> Markup:
    """The cells, one path a shade: 81 x 81 cells stay a few kilobytes."""
    side = cell * len(classes)
    gap = 1 if cell > 15 else 0.5
    shapes: list[Markup] = [element('rect', class_='ground', width=side, height=side)]
    levels = shade(shares)
    for level in range(1, LEVELS + 1):
        rows, columns = np.nonzero(levels == level)
        size = number(cell - gap)
        path = ''.join(
            f'M{x * cell} {y * cell}h{size}v{size}h-{size}z'
            for y, x in zip(rows.tolist(), columns.tolist())
        )
        if path:
            shapes.append(
                element('path', class_='cells', d=path, fill_opacity=number(level / LEVELS))
            )
    if len(classes) <= _NUMBERS_UP_TO:
        for row, column in zip(*np.nonzero(shares >= SHOWN)):
            share = shares[row, column]
            shapes.append(
                element(
                    'text',
                    f'{100 * share:.0f}',
                    x=number((column + 0.5) * cell),
                    y=number((row + 0.5) * cell),
                    class_=_inks(int(levels[row, column])),
                )
            )
    shapes.append(element('rect', class_='cursor', width=cell, height=cell, visibility='hidden'))
    return element(
        'svg',
        join(shapes),
        class_='matrix' + (' small' if cell < 20 else ''),
        width=side,
        height=side,
        viewBox=f'0 0 {side} {side}',
        role='img',
        tabindex='0',
        aria_label=(
            f'Confusion matrix of {label}: rows are true classes, columns what was predicted. '
            'Arrow keys move from cell to cell.'
        ),
    )


def _inks(level: int) -> str | None:
    """CSS classes of a cell's number."""
    return ' '.join(name for name, first in SWITCHES.items() if level >= first) or None


def _confused(row: int, classes: Sequence[str], counts: np.ndarray, shares: np.ndarray) -> Confused:
    pixels = int(counts[row].sum())
    if pixels == 0:
        return Confused(classes[row], '0', DASH, 'not in the truth')
    order = [
        k for k in np.argsort(-shares[row], kind='stable') if k != row and shares[row, k] >= 0.0005
    ]
    wrong = ', '.join(
        f'{classes[k]} {100 * shares[row, k]:.1f}{NARROW}%' for k in order[:_TAKEN_FOR]
    )
    return Confused(classes[row], f'{pixels:,}', f'{100 * shares[row, row]:.1f}', wrong or DASH)
