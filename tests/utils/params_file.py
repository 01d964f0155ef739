"""Writes the four layouts of mxnet's ``.params`` files, after section 1 of the reference sheet."""

import struct

import numpy as np

FLAGS = {'f4': 0, 'f8': 1, 'f2': 2, 'u1': 3, 'i4': 4, 'i1': 5, 'i8': 6}


def array_bytes(array, version):
    """One array in layout ``version`` (0 to 3); None is an array without a value.

    That has no dimensions, or -1 in version 3, where none make a scalar (ndarray.cc).
    """
    if array is None and version == 3:
        return struct.pack('<Iii', 0xF993FACA, 0, -1)
    shape = () if array is None else array.shape
    if version == 0:
        head = struct.pack(f'<I{len(shape)}I', len(shape), *shape)
    else:
        head = struct.pack('<I', 0xF993FAC8 + version - 1)
        head += struct.pack('<i', 0) if version > 1 else b''
        head += struct.pack(f'<I{len(shape)}q', len(shape), *shape)
    if array is None:
        return head
    flag = FLAGS[array.dtype.str[1:]]
    return head + struct.pack('<iii', 1, 0, flag) + np.ascontiguousarray(array).tobytes()


def params_bytes(arrays, version=0):
    """A whole file of named arrays."""
    data = struct.pack('<QQQ', 0x112, 0, len(arrays))
    data += b''.join(array_bytes(array, version) for array in arrays.values())
    data += struct.pack('<Q', len(arrays))
    return data + b''.join(struct.pack('<Q', len(n.encode())) + n.encode() for n in arrays)
