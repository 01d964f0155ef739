"""Axes of charts: round ticks, linear or logarithmic."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Axis:
    """A range of values and its ticks.

    Attributes:
        low: Value at 0.
        high: Value at 1, above ``low``.
        ticks: Values to name, within the range.
        log: Whether places are those of the logarithms.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, values: np.ndarray) -> np.ndarray:
        """Places of values, 0 at ``low`` and 1 at ``high``; NaN for NaN, and at a logarithmic axis for values <= 0."""
        values = np.asarray(values, np.float64)
        low, high = self.low, self.high
        if self.log:
            positive = values > 0
            values = np.log(np.where(positive, values, 1.0))
            values = np.where(positive, values, np.nan)
            low, high = math.log(low), math.log(high)
        return (values - low) / (high - low)

    def labels(self) -> list[str]:
        """Texts of the ticks."""
        return tick_labels(self.ticks)


def linear_axis(values: np.ndarray, *, ticks: int = 4, zero: bool = False) -> Axis:
    """An axis from tick to tick around the finite ones of ``values``.

    Args:
        values: What is to lie on it.
        ticks: About how many steps.
        zero: Begin at 0.
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        spread = abs(high) or 1.0
        low, high = (
            (0.0, high or 1.0) if zero and high >= 0 else (low - spread / 2, high + spread / 2)
        )
    step = _round_step((high - low) / ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    places = tuple(float(f'{k * step:.12g}') for k in range(first, last + 1))
    return Axis(places[0], places[-1], places)


def fixed_axis(low: float, high: float, ticks: int = 5) -> Axis:
    """An axis from ``low`` to ``high`` exactly, with round ticks between."""
    if high <= low:
        high = low + 1
    step = _round_step((high - low) / ticks)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Axis(low, high, tuple(float(f'{k * step:.12g}') for k in range(first, last + 1)))


def log_axis(values: np.ndarray) -> Axis | None:
    """A logarithmic axis around the positive ones of ``values``; None if there is none."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known) & (known > 0)]
    if not known.size:
        return None
    low, high = math.log10(known.min()), math.log10(known.max())
    if high - low < 1.3:
        # Less than a few powers of ten: 1, 2 and 5 of each.
        steps = [
            f * 10.0**e for e in range(math.floor(low), math.ceil(high) + 1) for f in (1, 2, 5)
        ]
        below = [s for s in steps if s <= known.min() * (1 + 1e-9)]
        above = [s for s in steps if s >= known.max() * (1 - 1e-9)]
        first, last = (below or steps)[-1], (above or steps[-1:])[0]
        if first == last:
            first, last = first / 2, last * 2
        ticks = [s for s in steps if first <= s <= last] or [first, last]
        return Axis(first, last, tuple(float(f'{t:.12g}') for t in ticks), log=True)
    first, last = math.floor(low + 1e-9), math.ceil(high - 1e-9)
    stride = max(1, math.ceil((last - first) / 5))
    return Axis(
        10.0**first, 10.0**last, tuple(10.0**e for e in range(first, last + 1, stride)), log=True
    )


def tick_labels(ticks: tuple[float, ...]) -> list[str]:
    """Short texts that tell the ticks apart.

    >>> tick_labels((0.0, 0.5, 1.0))
    ['0', '0.5', '1']
    >>> tick_labels((0.0, 20000.0))
    ['0', '20k']
    """
    if ticks and all(value == int(value) for value in ticks) and max(map(abs, ticks)) >= 10_000:
        if all(value % 1000 == 0 for value in ticks):
            return ['0' if value == 0 else f'{value / 1000:g}k' for value in ticks]
        return [f'{int(value):,}' for value in ticks]
    return [f'{value:g}' for value in ticks]


def _round_step(step: float) -> float:
    """The nearest of 1, 2, 2.5 and 5 times a power of ten that is not below ``step``."""
    power = 10.0 ** math.floor(math.log10(step))
    for factor in (1, 2, 2.5, 5, 10):
        if factor * power >= step * (1 - 1e-9):
            return float(factor * power)
    return 10 * power
