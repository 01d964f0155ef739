"""The record of a contrast's quality: JSON lines, one an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmppc.storage.atomic import atomic_write

NAME = 'contrast_quality.jsonl'


def read_evaluations(path: Path) -> list[dict[str, Any]]:
    """The evaluations of a file, in the order of their iterations.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is no JSON object with an ``iteration``.
    """
    found = []
    for number, text in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
        try:
            line = json.loads(text)
        except ValueError as error:
            raise ValueError(f'{path}, line {number}: not JSON ({error})') from error
        if not isinstance(line, dict) or not isinstance(line.get('iteration'), int):
            raise ValueError(f'{path}, line {number}: expected an object with a whole `iteration`')
        found.append(line)
    return sorted(found, key=lambda line: line['iteration'])


def append_evaluation(path: Path, line: Mapping[str, Any]) -> None:
    """Add an evaluation in place of one of the same iteration; the file is whole at any moment."""
    lines = read_evaluations(path) if path.is_file() else []
    _write(path, [old for old in lines if old['iteration'] != line['iteration']] + [dict(line)])


def keep_evaluations(path: Path, iteration: int) -> None:
    """Drop evaluations after ``iteration``, at which a training continues; at 0 all are dropped."""
    if not path.is_file():
        return
    if iteration == 0:
        path.unlink()
        return
    lines = read_evaluations(path)
    kept = [line for line in lines if line['iteration'] <= iteration]
    if len(kept) < len(lines):
        _write(path, kept)


def _write(path: Path, lines: list[dict[str, Any]]) -> None:
    with atomic_write(path, 'w') as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + '\n')
