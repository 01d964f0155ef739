"""Pictures of one size side by side, each with its title, above a legend."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from mmppc.visualization.overlay import TURBO, heat_colours, overlay, paint_mask

SIDE = 400
"""Longer side of a picture on a sheet, in pixels."""

_MARGIN = 6
_LINE = 20
_BAR = (120, 12)
_SWATCH = 12
_ASPECT = 16 / 10
_COLD, _HOT = 0.3, 0.6
_FILLED = 0.55
_EDGE = (255, 255, 255)


@dataclass(frozen=True)
class Panel:
    """A picture of the sheet.

    Attributes:
        title: One line above it.
        picture: (H, W, 3) uint8, RGB.
    """

    title: str
    picture: np.ndarray


@dataclass(frozen=True)
class Legend:
    """What stands below the pictures.

    Attributes:
        heat: Show the colours of heat from 0 to 1.
        threshold: Marked on them, in [0, 1].
        classes: Name and colour (R, G, B) of the classes to name.
        notes: Lines of text.
    """

    heat: bool = False
    threshold: float | None = None
    classes: Sequence[tuple[str, Sequence[int]]] = ()
    notes: Sequence[str] = ()


def heat_panel(title: str, picture: np.ndarray, heat: np.ndarray, threshold: float | None) -> Panel:
    """A map over its picture, the more opaque the hotter, with a white line along the threshold.

    Args:
        title: Of the panel.
        picture: (H, W, 3) uint8 RGB.
        heat: (H, W) in [0, 1].
        threshold: Where the line goes; None for no line.
    """
    opacity = _COLD + (_HOT - _COLD) * np.asarray(heat, np.float32).clip(0, 1)
    shown = overlay(picture, heat_colours(heat), opacity)
    if threshold is not None:
        shown[edges((heat > threshold).astype(np.uint8), _width(picture))] = _EDGE
    return Panel(title, shown)


def mask_panel(
    title: str, picture: np.ndarray, mask: np.ndarray, palette: Sequence[Sequence[int]] | np.ndarray
) -> Panel:
    """An index mask (H, W) over its picture; the background stays as it is, regions have a white edge."""
    opacity = np.where(mask == 0, 0.0, _FILLED)
    shown = overlay(picture, paint_mask(mask, palette), opacity)
    shown[edges(mask, _width(picture))] = _EDGE
    return Panel(title, shown)


def shrink_picture(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture (H, W, 3) uint8 whose longer side is at most ``side`` pixels; smaller ones as they are."""
    size = _shrunk(picture, side)
    if size is None:
        return picture
    resized = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    return np.array(resized)


def shrink_heat(heat: np.ndarray, side: int) -> np.ndarray:
    """A map (H, W) float as :func:`shrink_picture` shrinks its picture."""
    size = _shrunk(heat, side)
    if size is None:
        return heat
    smaller = Image.fromarray(np.asarray(heat, np.float32)).resize(size, Image.Resampling.BOX)
    return np.array(smaller)


def shrink_mask(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask (H, W) uint8 as :func:`shrink_picture` shrinks its picture; no class comes up that was not there."""
    size = _shrunk(mask, side)
    if size is None:
        return mask
    return np.array(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))


def _shrunk(array: np.ndarray, side: int) -> tuple[int, int] | None:
    """(width, height) of what is too large; None for what is not."""
    height, width = array.shape[:2]
    scale = side / max(height, width)
    return None if scale >= 1 else (max(round(width * scale), 1), max(round(height * scale), 1))


def edges(labels: np.ndarray, width: int = 1) -> np.ndarray:
    """Pixels (H, W) bool of labels (H, W) within ``width`` pixels of another label, inside the larger one's region."""
    found = np.zeros(labels.shape, bool)
    for shift in range(1, width + 1):
        for axis in (0, 1):
            low, high = [slice(None)] * 2, [slice(None)] * 2
            low[axis], high[axis] = slice(None, -shift), slice(shift, None)
            first, second = labels[tuple(low)], labels[tuple(high)]
            found[tuple(low)] |= first > second
            found[tuple(high)] |= second > first
    return found


def draw_sheet(
    panels: Sequence[Panel], legend: Legend | None = None, *, side: int = SIDE
) -> np.ndarray:
    """Panels in rows, at about the shape of a screen, the legend below.

    Args:
        panels: Pictures of one size; at least one.
        legend: None for none.
        side: Longer side of a picture on the sheet, in pixels.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ValueError: If there is no panel, the sizes differ, or ``side`` is too small.
    """
    sizes = {panel.picture.shape for panel in panels}
    if len(sizes) != 1:
        raise ValueError(f'panels of sizes {sorted(sizes)}, expected at least one, all of one size')
    if side < 16:
        raise ValueError(f'side={side}: expected at least 16 pixels')
    height, width = next(iter(sizes))[:2]
    scale = side / max(height, width)
    cell = max(round(width * scale), 1), max(round(height * scale), 1)
    # A tall picture still leaves room for its title.
    pitch = max(cell[0], side // 2) + _MARGIN, cell[1] + _LINE + _MARGIN
    columns = _columns(len(panels), pitch)
    rows = -(-len(panels) // columns)
    total = _MARGIN + columns * pitch[0], _MARGIN + rows * pitch[1]
    footer = _Footer(legend or Legend(), total[0] - 2 * _MARGIN)
    sheet = Image.new('RGB', (total[0], total[1] + footer.height), 'white')
    draw = ImageDraw.Draw(sheet)
    for index, panel in enumerate(panels):
        x = _MARGIN + index % columns * pitch[0]
        y = _MARGIN + index // columns * pitch[1]
        draw.text((x, y), _fit(panel.title, pitch[0] - _MARGIN), fill='black', font=_font())
        resized = Image.fromarray(panel.picture).resize(cell, Image.Resampling.LANCZOS)
        sheet.paste(resized, (x, y + _LINE))
    footer.draw(sheet, draw, total[1])
    return np.array(sheet)


def _columns(number: int, pitch: tuple[int, int]) -> int:
    """Columns: one row for a few, else what brings the sheet near to a screen's shape with few empty places."""
    if number <= 3:
        return number

    def distance(columns: int) -> float:
        rows = -(-number // columns)
        empty = rows * columns - number
        return abs(math.log(columns * pitch[0] / (rows * pitch[1]) / _ASPECT)) + 0.2 * empty

    return min(range(2, number + 1), key=distance)


def _width(picture: np.ndarray) -> int:
    """Width of a line that is still seen when the picture has been scaled down to the sheet."""
    return max(1, round(max(picture.shape[:2]) / 350))


@functools.cache
def _font() -> ImageFont.FreeTypeFont:
    # Matplotlib's, which MMEngine brings along: it has the letters of most alphabets, Pillow's own has few.
    return ImageFont.truetype(str(Path(get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf')), 13)


def _fit(text: str, width: int) -> str:
    """``text``, cut with an ellipsis to ``width`` pixels."""
    if _font().getlength(text) <= width:
        return text
    while text and _font().getlength(text + '…') > width:
        text = text[:-1]
    return text.rstrip() + '…'


class _Footer:
    """The legend, laid out in lines of a given width."""

    def __init__(self, legend: Legend, width: int) -> None:
        self.legend = legend
        self.width = width
        self.notes = [line for note in legend.notes for line in _wrap(note, width)]
        self.rows = self._rows()
        lines = legend.heat + len(self.rows) + len(self.notes)
        self.height = lines * _LINE + _MARGIN if lines else 0

    def _rows(self) -> list[list[tuple[str, Sequence[int]]]]:
        """Classes by line."""
        rows: list[list[tuple[str, Sequence[int]]]] = []
        used = 0.0
        for name, colour in self.legend.classes:
            name = _fit(name, self.width - _SWATCH - 6)
            length = _SWATCH + 20 + _font().getlength(name)
            if not rows or used + length > self.width:
                rows.append([])
                used = 0
            rows[-1].append((name, colour))
            used += length
        return rows

    def draw(self, sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int) -> None:
        if self.legend.heat:
            self._bar(sheet, draw, top)
            top += _LINE
        for row in self.rows:
            x = float(_MARGIN)
            for name, colour in row:
                box = (x, top + 2, x + _SWATCH, top + 2 + _SWATCH)
                draw.rectangle(box, fill=tuple(int(value) for value in colour), outline='black')
                draw.text((x + _SWATCH + 5, top), name, fill='black', font=_font())
                x += _SWATCH + 20 + _font().getlength(name)
            top += _LINE
        for line in self.notes:
            draw.text((_MARGIN, top), line, fill=(80, 80, 80), font=_font())
            top += _LINE

    def _bar(self, sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int) -> None:
        length, height = _BAR
        left = _MARGIN + 14
        colours = TURBO[np.linspace(0, 255, length).round().astype(int)]
        bar = np.broadcast_to(colours, (height, length, 3))
        draw.text((_MARGIN, top), '0', fill='black', font=_font())
        sheet.paste(Image.fromarray(np.ascontiguousarray(bar)), (left, top + 2))
        text = '1'
        if self.legend.threshold is not None:
            x = left + round(self.legend.threshold * (length - 1))
            draw.line((x, top, x, top + height + 3), fill='white', width=3)
            draw.line((x, top, x, top + height + 4), fill='black', width=1)
            text += f'   white line: threshold {self.legend.threshold:g}'
        room = self.width - length - 20
        draw.text((left + length + 5, top), _fit(text, room), fill='black', font=_font())


def _wrap(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` pixels; a single long word is cut."""
    lines: list[str] = []
    for word in text.split():
        longer = f'{lines[-1]} {word}' if lines else word
        if lines and _font().getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(_fit(word, width))
    return lines
