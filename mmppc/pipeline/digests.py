"""Digests by which a stage knows what it was made from, and sentences about what changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def digest(content: Any) -> str:
    """Digest of anything JSON can hold: 12 hexadecimal digits, whatever the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def plain(content: Any) -> Any:
    """``content`` as JSON knows it: tuples become lists, other objects their text."""
    return json.loads(json.dumps(content, default=str))


def files_digest(files: Iterable[tuple[str, Path]]) -> str:
    """Digest of the names and contents of some files."""
    found = hashlib.sha256()
    for name, path in files:
        found.update(f'{name}\n'.encode('utf-8', 'surrogatepass'))
        with path.open('rb') as file:
            while block := file.read(1 << 20):
                found.update(block)
    return found.hexdigest()[:12]


def sizes_digest(folder: Path, files: Iterable[str]) -> str:
    """Digest of the names and sizes of some files below a folder.

    Contents are not read: there may be tens of thousands of pictures. A file that was changed and kept its size is
    not noticed.
    """
    lines = []
    for name in sorted(files):
        path = folder / name
        lines.append(f'{name} {path.stat().st_size if path.is_file() else "missing"}')
    return hashlib.sha256('\n'.join(lines).encode('utf-8', 'surrogatepass')).hexdigest()[:12]


def times_digest(folder: Path) -> str:
    """Digest of the names, sizes and times of change of all files below a folder; contents are not read."""
    lines = []
    for path in sorted(folder.rglob('*')):
        if path.is_file() and not path.name.startswith('.'):
            status = path.stat()
            name = path.relative_to(folder).as_posix()
            lines.append(f'{name} {status.st_size} {status.st_mtime_ns}')
    return hashlib.sha256('\n'.join(lines).encode('utf-8', 'surrogatepass')).hexdigest()[:12]


def changes(former: Any, now: Any, at: str = '') -> list[str]:
    """Where two nested settings differ, as sentences ``key.key was x, is y``."""
    if isinstance(former, Mapping) and isinstance(now, Mapping):
        lines: list[str] = []
        for key in [*former, *(key for key in now if key not in former)]:
            place = f'{at}.{key}' if at else str(key)
            lines += changes(former.get(key, '(none)'), now.get(key, '(none)'), place)
        return lines
    if isinstance(former, list) and isinstance(now, list) and len(former) == len(now):
        return [
            line
            for index, pair in enumerate(zip(former, now))
            for line in changes(*pair, f'{at}.{index}' if at else str(index))
        ]
    return [] if former == now else [f'{at} was {_short(former)}, is {_short(now)}']


def summary(lines: list[str], limit: int = 3) -> str:
    """The first of some sentences, and how many there are more."""
    more = f' and {len(lines) - limit} more' if len(lines) > limit else ''
    return '; '.join(lines[:limit]) + more


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f'{text[:57]}...'
