"""Room on a disk. Nothing but the standard library: ``mmppc doctor`` loads this file where mmppc cannot be imported."""

from __future__ import annotations

from pathlib import Path

GB = 1 << 30
MB = 1 << 20


def nearest_folder(path: Path) -> Path:
    """``path`` itself, or the nearest folder above it that exists."""
    place = path.absolute()
    while not place.is_dir() and place != place.parent:
        place = place.parent
    return place


def size_text(size: int) -> str:
    """Bytes for people.

    >>> size_text(3 << 29), size_text(20 << 20), size_text(100)
    ('1.5 GB', '20 MB', '1 MB')
    """
    return f'{size / GB:.1f} GB' if size >= GB else f'{max(round(size / MB), int(size > 0))} MB'
