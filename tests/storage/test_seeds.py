"""Seed files: round trip, range, and refusal of everything else."""

import os
import zipfile

import numpy as np
import pytest

from mmppc.storage import load_seed, save_seed


def write(path, **change):
    given = {
        'scores': np.random.default_rng(0).random((2, 5, 7)).astype(np.float32),
        'classes': np.array([8, 3]),
        'num_classes': 21,
        'meta': {'sample_id': 'a', 'scales': [0.5, 1.0]},
        **change,
    }
    save_seed(path, given.pop('scores'), given.pop('classes'), **given)
    return np.random.default_rng(0).random((2, 5, 7)).astype(np.float32)


def test_round_trip_sorts_the_classes(tmp_path):
    scores = write(tmp_path / 'set/a.npz')
    seed = load_seed(tmp_path / 'set/a.npz')
    assert seed.classes.tolist() == [3, 8]
    assert seed.classes.dtype == np.int64
    assert seed.scores.dtype == np.float32
    np.testing.assert_array_equal(seed.scores, scores[::-1].astype(np.float16))
    assert seed.size == (5, 7)
    assert seed.num_classes == 21
    assert seed.meta == {'sample_id': 'a', 'scales': [0.5, 1.0]}
    assert os.listdir(tmp_path / 'set') == ['a.npz']


def test_dense_has_all_channels(tmp_path):
    scores = write(tmp_path / 'a.npz').astype(np.float16)
    dense = load_seed(tmp_path / 'a.npz').dense()
    assert dense.shape == (21, 5, 7)
    assert dense.dtype == np.float32
    np.testing.assert_array_equal(dense[8], scores[0])
    np.testing.assert_array_equal(dense[3], scores[1])
    assert dense.sum() == dense[[3, 8]].sum()


def test_a_picture_without_tag_keeps_its_size(tmp_path):
    write(tmp_path / 'a.npz', scores=np.zeros((0, 5, 7)), classes=np.array([]))
    seed = load_seed(tmp_path / 'a.npz')
    assert seed.scores.shape == (0, 5, 7)
    assert seed.dense().shape == (21, 5, 7)
    assert not seed.dense().any()


def test_nothing_is_pickled(tmp_path):
    write(tmp_path / 'a.npz')
    with np.load(tmp_path / 'a.npz', allow_pickle=False) as archive:
        assert str(archive['format']) == 'mmppc-seed'
        assert archive['scores'].dtype == np.float16


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'scores': np.full((2, 5, 7), 1.01)}, r'span 1\.01 \.\. 1\.01, expected finite values in'),
        ({'scores': np.full((2, 5, 7), -0.1)}, 'expected finite values in'),
        ({'scores': np.full((2, 5, 7), np.nan)}, 'expected finite values in'),
        ({'scores': np.zeros((2, 5))}, r'scores \(2, 5\) and 2 classes, expected \(K, H, W\)'),
        ({'scores': np.zeros((3, 5, 7))}, 'and 2 classes'),
        ({'scores': np.zeros((2, 0, 7))}, r'expected \(K, H, W\)'),
        ({'classes': np.array([0, 3])}, r'found \[0, 3\], expected distinct channels 1 \.\. 20'),
        ({'classes': np.array([3, 21])}, r'1 \.\. 20'),
        ({'classes': np.array([3, 3])}, 'distinct'),
    ],
)
def test_wrong_values_are_not_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / 'a.npz', **change)
    assert not os.listdir(tmp_path)


def test_meta_that_is_not_json_leaves_no_file(tmp_path):
    with pytest.raises(TypeError):
        write(tmp_path / 'a.npz', meta={'x': object()})
    assert not os.listdir(tmp_path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'b\.npz: no such seed'):
        load_seed(tmp_path / 'b.npz')


@pytest.mark.parametrize('damage', ['empty', 'cut', 'flipped', 'text', 'npy', 'pickle', 'foreign'])
def test_broken_and_foreign_files(tmp_path, damage):
    path = tmp_path / 'a.npz'
    write(path, scores=np.random.default_rng(1).random((2, 50, 70)))
    whole = path.read_bytes()
    if damage == 'flipped':
        with zipfile.ZipFile(path) as archive:
            start = archive.getinfo('scores.npy').header_offset + 500
        whole = whole[:start] + bytes([whole[start] ^ 255]) + whole[start + 1 :]
    content = {'empty': b'', 'cut': whole[: len(whole) // 2], 'flipped': whole, 'text': b'scores'}
    if damage in content:
        path.write_bytes(content[damage])
    elif damage == 'npy':
        with open(path, 'wb') as file:
            np.save(file, np.zeros(3))
    elif damage == 'pickle':
        with open(path, 'wb') as file:
            np.save(file, np.array({0: np.zeros((5, 7))}, dtype=object), allow_pickle=True)
    else:
        np.savez(path, cam=np.zeros(3))
    with pytest.raises(ValueError, match=r'a\.npz: not a readable seed, expected an \.npz'):
        load_seed(path)


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('version', np.array(2), 'field version: found 2, expected 1'),
        ('scores', np.zeros((2, 5, 7)), r'field scores: found \(2, 5, 7\) float64'),
        ('scores', np.zeros((1, 5, 7), np.float16), r'for classes \(2,\)'),
        ('classes', np.array([3, 30]), r'field classes: found \[3, 30\]'),
        ('format', np.array('other'), 'not a readable seed'),
    ],
)
def test_inconsistent_files(tmp_path, field, value, message):
    path = tmp_path / 'a.npz'
    write(path)
    with np.load(path) as archive:
        fields = dict(archive)
    np.savez(path, **{**fields, field: value})
    with pytest.raises(ValueError, match=message):
        load_seed(path)
