"""The published ``cls_labels.npy``: a pickled dict, read without running what a pickle may hold."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.storage.pickled_npy import read_pickled_npy


def read_published_labels(
    path: str | os.PathLike, classes: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Tags from the ``cls_labels.npy`` of SEAM, PSA, EPS, IRN or PPC.

    Only dicts of numpy arrays, strings and numbers are unpickled; a file that asks for anything
    else is refused before it is run.

    Args:
        path: ``.npy`` of one pickled dict: name, or VOC's name as a number (2007000032 stands for
            '2007_000032'), -> multi-hot array (C,).
        classes: C foreground names in the order of the arrays.

    Returns:
        Picture -> its tags, in the order of ``classes``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not such an array, or a row is not C zeros and ones.
    """
    file = Path(path)
    content = read_pickled_npy(file)
    if not isinstance(content, Mapping):
        raise ValueError(f'{file}: expected a dict of labels, found a {type(content).__name__}')
    tags: dict[str, tuple[str, ...]] = {}
    for key, row in content.items():
        name = _picture_name(file, key)
        if name in tags:
            raise ValueError(f'{file}: field {key!r}: picture {name!r} has labels already')
        values = np.asarray(row)
        if values.shape != (len(classes),) or not np.isin(values, (0, 1)).all():
            raise ValueError(
                f'{file}: field {key!r}: expected {len(classes)} zeros and ones, one a class, '
                f'found {str(values)[:80]} of shape {values.shape}'
            )
        tags[name] = tuple(c for c, present in zip(classes, values) if present)
    return tags


def _picture_name(file: Path, key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        digits = str(int(key))
        if len(digits) == 10:
            return f'{digits[:4]}_{digits[4:]}'
    raise ValueError(
        f'{file}: field {key!r}: expected a name, or ten digits such as 2007000032 for 2007_000032'
    )
