"""The published ``cls_labels.npy``: a pickled dict, read without running what a pickle may hold."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format

# Found through numpy itself, as the module they live in differs between versions.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_SCALAR = np.float32(0).__reduce__()[0]


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
    if not file.is_file():
        raise FileNotFoundError(f'{file}: no such file')
    with open(file, 'rb') as stream:
        content = _read_object(file, stream)
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


def _read_object(file: Path, stream: BinaryIO) -> Any:
    try:
        version = npy_format.read_magic(stream)
        readers = {
            (1, 0): npy_format.read_array_header_1_0,
            (2, 0): npy_format.read_array_header_2_0,
        }
        if version not in readers:
            raise ValueError(f'unknown version {version}')
        shape, _, dtype = readers[version](stream)
    except ValueError as error:
        raise ValueError(f'{file}: not a .npy file: {error}') from None
    if shape != () or dtype != np.dtype(object):
        raise ValueError(f'{file}: expected one pickled dict, found {dtype} of shape {shape}')
    try:
        # Python 2 wrote the published ones: its strings are bytes.
        array = _LabelUnpickler(stream, encoding='latin1').load()
    except Exception as error:  # a damaged pickle may raise nearly anything
        raise ValueError(f'{file}: cannot be unpickled: {error}') from error
    if not isinstance(array, np.ndarray) or array.shape != ():
        raise ValueError(f'{file}: expected an array of one object, found {type(array).__name__}')
    return array.item()


class _LabelUnpickler(pickle.Unpickler):
    """Admits what numpy arrays, dicts, strings and numbers are pickled with, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
            module = 'multiarray'
        admitted: dict[tuple[str, str], Callable] = {
            ('multiarray', '_reconstruct'): _reconstruct,
            ('multiarray', 'scalar'): _SCALAR,
            ('numpy', 'ndarray'): np.ndarray,
            ('numpy', 'dtype'): np.dtype,
            ('_codecs', 'encode'): _encode,
        }
        if (module, name) not in admitted:
            raise pickle.UnpicklingError(f'{module}.{name} is not part of a dict of arrays')
        return admitted[module, name]


def _reconstruct(kind: type, shape: tuple[int, ...], dtype: bytes) -> np.ndarray:
    """An empty array that the pickle fills afterwards."""
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError(f'{kind} of shape {shape} instead of an empty array')
    return _RECONSTRUCT(kind, shape, dtype)  # type: ignore[operator, return-value]


def _encode(text: str, encoding: str) -> bytes:
    """Bytes as protocol 2 stores them; no other codec, as some would unpack data."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'bytes stored by the codec {encoding!r}')
    return text.encode('latin1')
