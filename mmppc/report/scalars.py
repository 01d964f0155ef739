"""A training's scalars from MMEngine's logs, joined over resumptions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.report.records import Scalars

_NO_SERIES = frozenset({'step', 'iter', 'epoch'})


def read_scalars(folder: Path) -> tuple[Scalars, list[str]]:
    """Join all ``<timestamp>/vis_data/scalars.json`` of a work folder by step.

    Where a later log begins, what earlier ones say of this step and those after it is dropped: a training that was
    killed between two checkpoints goes through some steps again, and one that was started anew through all.

    Returns:
        The scalars, and a note for every log with lines that are no JSON. A last line cut off by a kill is passed over.
    """
    rows: list[dict[str, Any]] = []
    resumed: list[int] = []
    notes = []
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        found, broken = _read_lines(path)
        if broken:
            notes.append(f'{path}: {broken} lines that are no JSON were passed over')
        if not found:
            continue
        start = min(row['step'] for row in found if 'iter' in row or not _has_training(found))
        if rows:
            rows = [row for row in rows if row['step'] < start]
            resumed = [step for step in resumed if step < start]
            if rows:
                resumed.append(start)
        rows += found
    rows.sort(key=lambda row: row['step'])  # stable: in the order of the log within a step
    series: dict[str, dict[int, float]] = {}
    for row in rows:
        for name, value in row.items():
            if name in _NO_SERIES or isinstance(value, bool):
                continue
            if isinstance(value, (int, float)):
                number = float(value)
                series.setdefault(name, {})[row['step']] = (
                    number if math.isfinite(number) else math.nan
                )
    joined = {
        name: (np.array(list(points), np.int64), np.array(list(points.values()), np.float64))
        for name, points in series.items()
    }
    return Scalars(joined, tuple(resumed)), notes


def _read_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Rows that have a step, and the number of broken lines but for the last one."""
    lines = path.read_text(encoding='utf-8', errors='replace').splitlines()
    rows, broken = [], 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            step = int(row['step'])
        except (ValueError, TypeError, KeyError, OverflowError):
            broken += number < len(lines)
            continue
        rows.append({**row, 'step': step})
    return _in_iterations(rows), broken


def _has_training(rows: list[dict[str, Any]]) -> bool:
    return any('iter' in row for row in rows)


def _in_iterations(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of validations, whose step is the epoch where training counts in epochs, with the iteration instead."""
    ends: dict[int, int] = {}
    for row in rows:
        if 'iter' in row and 'epoch' in row:
            ends[int(row['epoch'])] = max(row['step'], ends.get(int(row['epoch']), 0))
    return [
        row if 'iter' in row else {**row, 'step': ends.get(row['step'], row['step'])}
        for row in rows
    ]
