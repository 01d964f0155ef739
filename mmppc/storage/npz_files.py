"""Versioned ``.npz`` files: arrays and JSON, without pickle, whole or absent."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.storage.atomic import atomic_write

_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    TypeError,
    AttributeError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise on files that are no archives, cut off or damaged."""


@dataclass(frozen=True)
class NpzFormat:
    """A kind of file.

    Attributes:
        name: Stored in every file, to tell its kind.
        version: Stored in every file; only this one is read.
        fields: Names of the arrays.
        noun: What messages call such a file.
        writer: What writes such files, for messages.
        remedy: What to do about a file that cannot be read, for messages.
    """

    name: str
    version: int
    fields: tuple[str, ...]
    noun: str
    writer: str
    remedy: str

    def refusal(self, file: Path, reason: object) -> ValueError:
        """The error on a file that is not of this kind, or damaged."""
        return ValueError(
            f'{file}: not a readable {self.noun}, expected an .npz that {self.writer} wrote; '
            f'if it is damaged, delete it and {self.remedy} ({reason})'
        )


def write_npz(
    path: str | os.PathLike,
    kind: NpzFormat,
    arrays: Mapping[str, np.ndarray],
    meta: Mapping[str, Any] | None = None,
) -> None:
    """Write a compressed file, atomically.

    Args:
        path: Where to write.
        kind: Kind of the file.
        arrays: An array for each of ``kind.fields``.
        meta: Anything JSON can hold.

    Raises:
        TypeError: If ``meta`` does not fit into JSON.
    """
    with atomic_write(path) as file:
        np.savez_compressed(
            file,
            format=np.array(kind.name),
            version=np.array(kind.version),
            meta=np.array(json.dumps(dict(meta or {}))),
            **{field: arrays[field] for field in kind.fields},  # type: ignore[arg-type]
        )


def read_npz(
    path: str | os.PathLike, kind: NpzFormat
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file; nothing is ever unpickled.

    Returns:
        The arrays of ``kind.fields`` by name, and the meta data.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is broken, of another kind or of another version.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f'{file}: no such {kind.noun}')
    expected = ('format', 'version', *kind.fields, 'meta')
    try:
        with np.load(file, allow_pickle=False) as archive:
            found = {key: archive[key] for key in expected if key in archive}
    except _UNREADABLE as error:
        raise kind.refusal(file, error) from error
    if len(found) < len(expected) or str(found['format']) != kind.name:
        raise kind.refusal(file, f'found the fields {sorted(found)}')
    try:
        version, meta = int(found['version']), json.loads(str(found['meta']))
    except (TypeError, ValueError) as error:
        raise kind.refusal(file, error) from error
    if version != kind.version:
        raise ValueError(
            f'{file}: field version: found {version}, expected {kind.version}; '
            f'update mmppc or {kind.remedy}'
        )
    return {field: found[field] for field in kind.fields}, meta
