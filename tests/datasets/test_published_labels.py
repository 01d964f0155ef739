import codecs
import os
import pickle

import numpy as np
import pytest

from mmppc.datasets.published_labels import read_published_labels

CLASSES = ('cat', 'dog', 'cow')
ROW = np.array([1, 0, 1], np.float32)


def save(path, content):
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


def save_pickle(path, data):
    """A .npy whose pickle is ``data``."""
    np.save(path, np.array(0, dtype=object), allow_pickle=True)
    header = path.read_bytes()[:128]
    path.write_bytes(header + data)
    return path


def test_names_and_numbers(tmp_path):
    content = {
        '2007_000032': ROW,
        2007000039: np.zeros(3),
        np.int32(2007000063): np.array([0, 1, 0]),
    }
    tags = read_published_labels(save(tmp_path / 'a.npy', content), CLASSES)
    assert tags == {'2007_000032': ('cat', 'cow'), '2007_000039': (), '2007_000063': ('dog',)}


@pytest.mark.parametrize('protocol', [0, 2, 3, 4])
@pytest.mark.parametrize('module', [b'numpy._core.multiarray', b'numpy.core.multiarray'])
def test_pickles_of_all_ages(tmp_path, protocol, module):
    array = np.array({'2007_000032': ROW, 'b': ROW.astype(np.int64)}, dtype=object)
    data = pickle.dumps(array, protocol=protocol)
    for known in (b'numpy._core.multiarray', b'numpy.core.multiarray'):
        if protocol < 4:  # from 4 on the length stands before the name
            data = data.replace(known, module)
    tags = read_published_labels(save_pickle(tmp_path / 'a.npy', data), CLASSES)
    assert tags == {'2007_000032': ('cat', 'cow'), 'b': ('cat', 'cow')}


class Call:
    """Pickled as a call of anything."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ('function', 'arguments', 'name'),
    [
        (os.mkdir, ('hacked',), 'mkdir'),
        (eval, ("__import__('os').mkdir('hacked')",), 'eval'),
        (codecs.encode, ('x', 'rot13'), "codec 'rot13'"),
        (np.load, ('x',), 'load'),
    ],
)
def test_code_in_a_pickle_is_not_run(tmp_path, monkeypatch, function, arguments, name):
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / 'a.npy', {'a': Call(function, *arguments)})
    with pytest.raises(ValueError, match=rf'a\.npy: cannot be unpickled: .*{name}'):
        read_published_labels(path, CLASSES)
    assert [entry.name for entry in tmp_path.iterdir()] == ['a.npy']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (['a'], r'expected one pickled dict, found object of shape \(1,\)'),
        ({'a': ROW[:2]}, r"field 'a': expected 3 zeros and ones, one a class, found .*\(2,\)"),
        ({'a': ROW * 0.5}, r"field 'a': expected 3 zeros and ones"),
        ({17: ROW}, r'field 17: expected a name, or ten digits'),
        ({'2007_000032': ROW, 2007000032: ROW}, r"picture '2007_000032' has labels already"),
    ],
)
def test_wrong_content(tmp_path, content, message):
    with pytest.raises(ValueError, match=r'a\.npy: .*' + message):
        read_published_labels(save(tmp_path / 'a.npy', content), CLASSES)


def test_wrong_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.npy: no such file'):
        read_published_labels(tmp_path / 'a.npy', CLASSES)
    (tmp_path / 'a.npy').write_bytes(b'image,tags\n')
    with pytest.raises(ValueError, match=r'a\.npy: not a \.npy file'):
        read_published_labels(tmp_path / 'a.npy', CLASSES)
    np.save(tmp_path / 'a.npy', ROW)
    with pytest.raises(ValueError, match=r'expected one pickled dict, found float32'):
        read_published_labels(tmp_path / 'a.npy', CLASSES)
    path = save(tmp_path / 'a.npy', {'a': ROW})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r'a\.npy: cannot be unpickled'):
        read_published_labels(path, CLASSES)
    save_pickle(path, pickle.dumps({'a': 1}))
    with pytest.raises(ValueError, match=r'expected an array of one object, found dict'):
        read_published_labels(path, CLASSES)
