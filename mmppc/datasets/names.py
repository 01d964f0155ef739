"""Names: of pictures (sample ids), of classes, and the pictures below a folder."""

from __future__ import annotations

import difflib
import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

PICTURE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.ppm', '.pgm')
"""Suffixes that count as pictures, in any case."""


def sample_id(name: str) -> str:
    """The name a picture has everywhere in the pipeline: no suffix, '/' separators, Unicode NFC, no blanks around it.

    Tag files, split lists and folder listings all pass through here, so that a name typed on one
    system ('Käse.JPG', 'set\\\\a', './a.png') meets the file written on another.

    >>> sample_id('set\\\\a b.JPG')
    'set/a b'
    >>> sample_id('2007.v2')
    '2007.v2'
    """
    name = unicodedata.normalize('NFC', name.strip()).replace('\\', '/')
    while name.startswith('./'):
        name = name[2:]
    stem, suffix = os.path.splitext(name)
    return stem.rstrip() if suffix.lower() in PICTURE_SUFFIXES else name


def list_files(folder: str | os.PathLike, suffixes: Sequence[str]) -> dict[str, list[str]]:
    """Every file below ``folder`` with one of the suffixes, by its name without the suffix.

    Args:
        folder: Searched recursively, through symbolic links; hidden files are passed over.
        suffixes: Lower-case endings with their dot; compared without regard to case.

    Returns:
        NFC name below the folder without the suffix and blanks around it -> sorted paths relative to the folder.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f'{root}: no such folder')
    found: dict[str, list[str]] = {}
    for base, folders, files in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for file in sorted(files):
            ending = next((s for s in suffixes if file.lower().endswith(s)), None)
            if ending is None or file.startswith('.'):
                continue
            path = Path(base, file).relative_to(root).as_posix()
            # Without the blanks around it, which no tag file or list keeps.
            key = unicodedata.normalize('NFC', path[: -len(ending)]).replace('\\', '/').strip()
            found.setdefault(key, []).append(path)
    return dict(sorted(found.items()))


def read_lines(path: str | os.PathLike) -> list[str]:
    """Non-empty lines of a UTF-8 text file (a byte-order mark is tolerated), stripped.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not UTF-8.
    """
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def read_text(path: str | os.PathLike) -> str:
    """A UTF-8 text file as a string; errors as in :func:`read_lines`."""
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f'{file}: no such file')
    try:
        return file.read_bytes().decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{file}: byte {error.start} is not UTF-8 text ({error.reason}); '
            'save the file with the encoding UTF-8'
        ) from None


def read_classes(path: str | os.PathLike) -> tuple[str, ...]:
    """Class names from a text file, one a line, the background first.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a name occurs twice or fewer than two are listed.
    """
    return check_classes(read_lines(path), str(path))


def check_classes(classes: Iterable[str], source: str) -> tuple[str, ...]:
    """``classes`` as NFC names; ValueError naming ``source`` unless they are distinct and >= 2."""
    names = tuple(unicodedata.normalize('NFC', str(name).strip()) for name in classes)
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ValueError(f'{source}: classes named twice: {doubles}')
    if len(names) < 2 or '' in names:
        raise ValueError(
            f'{source}: expected the background and at least one class, found {list(names)}'
        )
    return names


def nearest_names(name: str, known: Sequence[str]) -> str:
    """Text for an error message: the known names that look like ``name``, or all when few."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f'nearest known names: {", ".join(map(repr, near))}'
    shown = ', '.join(map(repr, known[:10]))
    return f'known names: {shown}' + (f', ... ({len(known)} in all)' if len(known) > 10 else '')


def examples(names: Sequence[str], limit: int = 3) -> str:
    """Text for an error message: the count and the first few names.

    >>> examples(['a', 'b', 'c', 'd'])
    "4 (first: 'a', 'b', 'c')"
    """
    return f'{len(names)} (first: {", ".join(repr(name) for name in names[:limit])})'
