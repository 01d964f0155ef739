"""Published ``.npy`` files that hold a pickled object, read without running what a pickle may hold."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format

# Found through numpy itself, as the module they live in differs between versions.
_RECONSTRUCT = np.empty(0).__reduce__()[0]
_SCALAR = np.float32(0).__reduce__()[0]


def read_pickled_npy(
    path: str | os.PathLike, content: str = 'a dict of arrays', *, tensors: bool = False
) -> Any:
    """The object in a ``.npy`` of one pickled object.

    Only numpy arrays, dicts, lists, strings and numbers are unpickled; a file that asks for anything
    else is refused before it is run.

    Args:
        path: The file.
        content: What it should hold, for messages.
        tensors: Admit tensors of PyTorch too; their data are loaded with ``weights_only=True``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a file, is damaged, or refers to anything else; the message
            names it.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f'{file}: no such file')
    with open(file, 'rb') as stream:
        _skip_header(file, stream)
        try:
            # Python 2 wrote some of the published ones: its strings are bytes.
            array = _ArrayUnpickler(stream, content, tensors).load()
        except Exception as error:  # a damaged pickle may raise nearly anything
            raise ValueError(f'{file}: cannot be unpickled: {error}') from error
    if not isinstance(array, np.ndarray) or array.shape != ():
        raise ValueError(f'{file}: expected an array of one object, found {type(array).__name__}')
    return array.item()


def _skip_header(file: Path, stream: BinaryIO) -> None:
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


class _ArrayUnpickler(pickle.Unpickler):
    """Admits what numpy arrays, dicts, strings and numbers are pickled with, and nothing else."""

    def __init__(self, stream: BinaryIO, content: str, tensors: bool) -> None:
        super().__init__(stream, encoding='latin1')
        self.content = content
        self.admitted: dict[tuple[str, str], Any] = {
            ('multiarray', '_reconstruct'): _reconstruct,
            ('multiarray', 'scalar'): _SCALAR,
            ('numpy', 'ndarray'): np.ndarray,
            ('numpy', 'dtype'): np.dtype,
            ('_codecs', 'encode'): _encode,
        }
        if tensors:
            self.admitted.update(_tensor_globals())

    def find_class(self, module: str, name: str) -> Any:
        if module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
            module = 'multiarray'
        if (module, name) not in self.admitted:
            raise pickle.UnpicklingError(f'{module}.{name} is not part of {self.content}')
        return self.admitted[module, name]


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


def _tensor_globals() -> dict[tuple[str, str], Callable]:
    """What tensors outside of a checkpoint are pickled with: their storage is a file within."""
    import torch

    def load_storage(data: bytes) -> Any:
        return torch.load(io.BytesIO(data), map_location='cpu', weights_only=True)

    return {
        ('torch._utils', '_rebuild_tensor_v2'): torch._utils._rebuild_tensor_v2,
        ('torch.storage', '_load_from_bytes'): load_storage,
        ('collections', 'OrderedDict'): OrderedDict,
    }
