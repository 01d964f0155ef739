"""Read mxnet's ``.params`` files with numpy alone."""

import math
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAGIC = 0x112
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DTYPES = ('<f4', '<f8', '<f2', 'u1', '<i4', 'i1', '<i8')  # by mxnet's type_flag
_MOST_DIMENSIONS = 32


def is_mxnet_params(path: str | os.PathLike) -> bool:
    """Whether the file begins as a list of mxnet arrays does."""
    with open(path, 'rb') as file:
        return file.read(8) == struct.pack('<Q', MAGIC)


def read_mxnet_params(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Arrays of a ``.params`` file by name, such as ``arg:conv1a_weight``.

    Reads all four layouts of an array: the legacy one of 2016 without a magic number and versions
    1, 2 and 3. Layout after mxnet's ``src/ndarray/ndarray.cc``. An array that mxnet stored without
    a value is empty, of shape (0,).

    Raises:
        ValueError: The file is no such list, is truncated or corrupt, holds sparse arrays or an
            unknown type, or its arrays have no names.
    """
    path = Path(path)
    with path.open('rb') as file:
        stream = _Stream(file, path)
        magic, _reserved, count = stream.numbers('<QQQ', 'header')
        if magic != MAGIC:
            raise stream.error(
                f'no mxnet .params file: begins with {magic:#x}, expected {MAGIC:#x}'
            )
        arrays = []
        for index in range(count):
            arrays.append(_read_array(stream, f'array {index} of {count}'))
        (n_names,) = stream.numbers('<Q', 'number of names')
        if n_names != count:
            raise stream.error(f'{n_names} names for {count} arrays, expected as many')
        names = [_read_name(stream, f'name {index} of {count}') for index in range(count)]
        if stream.left():
            raise stream.error(f'{stream.left()} bytes left over behind the last name')
    if len(set(names)) != count:
        raise ValueError(f'{path}: {count - len(set(names))} of {count} names are repeated')
    return dict(zip(names, arrays))


class _Stream:
    """A file that knows how much of it is left, so that nothing is allocated on a corrupt count."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file = file
        self.path = path
        self.size = os.fstat(file.fileno()).st_size

    def error(self, message: str) -> ValueError:
        return ValueError(f'{self.path}: {message} (at byte {self.file.tell()} of {self.size})')

    def left(self) -> int:
        return self.size - self.file.tell()

    def require(self, size: int, what: str) -> None:
        if size > self.left():
            raise self.error(
                f'truncated or corrupt: {what} needs {size} bytes, {self.left()} are left'
            )

    def numbers(self, layout: str, what: str) -> tuple[Any, ...]:
        size = struct.calcsize(layout)
        self.require(size, what)
        return struct.unpack(layout, self.file.read(size))

    def array(self, shape: tuple[int, ...], dtype: str, what: str) -> np.ndarray:
        self.require(math.prod(shape) * np.dtype(dtype).itemsize, what)
        array = np.empty(shape, dtype)
        self.file.readinto(array.reshape(-1).view(np.uint8).data)  # type: ignore[attr-defined]
        return array.astype(np.dtype(dtype).newbyteorder('='), copy=False)


def _read_shape(stream: _Stream, what: str) -> tuple[int, ...] | None:
    """Shape of the array that follows, or None if it holds nothing."""
    (version,) = stream.numbers('<I', what)
    if version in (_V2, _V3):
        (storage,) = stream.numbers('<i', what)
        if storage != 0:
            raise stream.error(f'{what} is sparse (storage type {storage}), expected dense (0)')
    if version in (_V1, _V2, _V3):
        (ndim,) = stream.numbers('<i', what)
        kind = 'q'
    else:
        ndim, kind = version, 'I'  # legacy: the magic number is the number of dimensions
    if ndim > _MOST_DIMENSIONS or ndim < (-1 if version == _V3 else 0):
        raise stream.error(f'corrupt: {what} has {ndim} dimensions')
    # numpy's shapes of version 3 know scalars and mark the unknown by -1; before, 0 was the mark
    if ndim < 0 or (ndim == 0 and version != _V3):
        return None
    shape = stream.numbers(f'<{ndim}{kind}', what)
    if version == _V3 and -1 in shape:
        return None
    if any(side < 0 for side in shape):
        raise stream.error(f'corrupt: {what} has shape {shape}')
    return shape


def _read_array(stream: _Stream, what: str) -> np.ndarray:
    shape = _read_shape(stream, what)
    if shape is None:
        return np.empty(0, np.float32)
    _device, _device_id, flag = stream.numbers('<iii', what)
    if not 0 <= flag < len(_DTYPES):
        raise stream.error(f'{what} has type {flag}, expected one of 0 to {len(_DTYPES) - 1}')
    return stream.array(shape, _DTYPES[flag], f'{what}, shape {shape},')


def _read_name(stream: _Stream, what: str) -> str:
    (length,) = stream.numbers('<Q', what)
    stream.require(length, what)
    try:
        return stream.file.read(length).decode()
    except UnicodeDecodeError as error:
        raise stream.error(f'corrupt: {what} is no text') from error
