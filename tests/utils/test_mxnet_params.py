import struct

import numpy as np
import pytest

from mmppc.utils.mxnet_params import is_mxnet_params, read_mxnet_params

from .params_file import FLAGS, array_bytes, params_bytes

ARRAYS = {
    'arg:conv1a_weight': np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3),
    'aux:bn7_moving_mean': np.linspace(-1, 1, 5).astype(np.float32),
    'arg:nichts_für_uns': np.array([[7]], np.int64),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'net-0001.params'


@pytest.mark.parametrize('version', [0, 1, 2, 3])
def test_reads_every_layout(path, version):
    path.write_bytes(params_bytes(ARRAYS, version))
    assert is_mxnet_params(path)
    found = read_mxnet_params(path)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
        assert found[name].flags.writeable


def test_reads_layouts_mixed_in_one_file(path):
    data = struct.pack('<QQQ', 0x112, 0, 4)
    data += b''.join(array_bytes(np.full(3, v, np.float32), v) for v in range(4))
    data += struct.pack('<Q', 4) + b''.join(struct.pack('<Q', 1) + b'%d' % v for v in range(4))
    path.write_bytes(data)
    found = read_mxnet_params(path)
    assert {name: array.tolist() for name, array in found.items()} == {
        str(v): [v] * 3 for v in range(4)
    }


@pytest.mark.parametrize('kind', sorted(FLAGS))
def test_reads_every_type(path, kind):
    array = np.array([0, 1, 100]).astype(kind)
    path.write_bytes(params_bytes({'x': array}))
    found = read_mxnet_params(path)['x']
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize('version', [0, 1, 2, 3])
def test_an_array_without_a_value_is_empty(path, version):
    path.write_bytes(params_bytes({'x': None, 'y': np.ones(2, np.float32)}, version))
    found = read_mxnet_params(path)
    assert found['x'].shape == (0,)
    assert found['y'].tolist() == [1, 1]


def test_version_3_has_scalars_and_partly_unknown_shapes(path):
    unknown = struct.pack('<Iiiqq', 0xF993FACA, 0, 2, 5, -1)
    scalar = array_bytes(np.array(2.5, np.float32), 3)
    data = struct.pack('<QQQ', 0x112, 0, 2) + unknown + scalar + struct.pack('<Q', 2)
    path.write_bytes(data + b''.join(struct.pack('<Q', 1) + n for n in (b'u', b's')))
    found = read_mxnet_params(path)
    assert found['u'].shape == (0,)
    assert found['s'].shape == ()
    assert found['s'] == 2.5


@pytest.mark.parametrize('version', [0, 1, 2, 3])
def test_every_truncation_is_refused(path, version):
    whole = params_bytes({'a': np.ones((2, 3), np.float32), 'b': np.ones(1, np.float16)}, version)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r'net-0001.params: truncated or corrupt'):
            read_mxnet_params(path)


def test_a_damaged_count_does_not_ask_for_the_memory(path):
    data = bytearray(params_bytes({'a': np.ones((2, 3), np.float32)}))
    data[28:32] = struct.pack('<I', 2**31)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'needs .* bytes'):
        read_mxnet_params(path)


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        (b'PK\x03\x04' + bytes(40), 'no mxnet .params file: begins with 0x4034b50, expected 0x112'),
        (params_bytes(ARRAYS) + b'more', '4 bytes left over'),
        (struct.pack('<QQQIi', 0x112, 0, 1, 0xF993FAC9, 1) + bytes(9), 'sparse .storage type 1'),
        (struct.pack('<QQQI', 0x112, 0, 1, 77) + bytes(900), '77 dimensions'),
        (struct.pack('<QQQIIiiif', 0x112, 0, 1, 1, 1, 1, 0, 9, 1.0), 'has type 9'),
        (struct.pack('<QQQQ', 0x112, 0, 0, 3), '3 names for 0 arrays'),
        (params_bytes({'a': np.ones(1, 'f4')})[:-1] + b'\xff', 'is no text'),
        (
            params_bytes({'a': np.ones(1, 'f4'), 'b': np.ones(1, 'f4')})[:-1] + b'a',
            '1 of 2 names are repeated',
        ),
    ],
)
def test_refuses_other_files(path, data, words):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=words):
        read_mxnet_params(path)
