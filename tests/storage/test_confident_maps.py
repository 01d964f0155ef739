"""Confident label files: round trip in steps of 1/255, and refusal of everything else."""

import os

import numpy as np
import pytest

from mmppc.storage import ConfidentMaps, load_confident_maps, save_confident_maps


def maps(**change):
    draw = np.random.default_rng(0)
    given = {
        'low': draw.random((3, 5, 7)).astype(np.float32),
        'high': draw.random((3, 5, 7)).astype(np.float32),
        'classes': np.array([0, 3, 8]),
        'num_classes': 21,
        'meta': {'weights': 'abc'},
        **change,
    }
    return ConfidentMaps(**given)


def test_round_trip(tmp_path):
    written = maps()
    save_confident_maps(tmp_path / 'set/a.npz', written)
    read = load_confident_maps(tmp_path / 'set/a.npz')
    assert read.classes.tolist() == [0, 3, 8]
    assert read.classes.dtype == np.int64
    assert (read.num_classes, read.size, read.meta) == (21, (5, 7), {'weights': 'abc'})
    for name in ('low', 'high'):
        found, expected = getattr(read, name), getattr(written, name)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=0.5 / 255 + 1e-6)
        np.testing.assert_array_equal(np.rint(found * 255), np.rint(expected * 255))
    assert os.listdir(tmp_path / 'set') == ['a.npz']


def test_ends_of_the_range_are_exact(tmp_path):
    low = np.array([0, 1, 1 + 1e-6], np.float32).reshape(1, 1, 3)
    save_confident_maps(tmp_path / 'a.npz', maps(low=low, high=low, classes=np.array([0])))
    assert load_confident_maps(tmp_path / 'a.npz').low.tolist() == [[[0, 1, 1]]]


def test_the_present_classes_take_little_room(tmp_path):
    draw = np.random.default_rng(0)
    both = {name: draw.random((2, 100, 100)) for name in ('low', 'high')}
    save_confident_maps(tmp_path / 'a.npz', maps(**both, classes=np.array([0, 15])))
    # Noise cannot be compressed: one byte a value, of the present classes only.
    assert 40_000 < (tmp_path / 'a.npz').stat().st_size < 42_500


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'low': np.full((3, 5, 7), 1.01)}, r'field low: found 1\.01 \.\. 1\.01, expected finite'),
        ({'high': np.full((3, 5, 7), -0.01)}, 'field high: found -0.01'),
        ({'high': np.full((3, 5, 7), np.nan)}, 'expected finite values'),
        ({'high': np.zeros((3, 5, 8))}, r'field high: found \(3, 5, 8\) for 3 classes'),
        ({'low': np.zeros((2, 5, 7))}, r'field low: found \(2, 5, 7\) for 3 classes'),
        ({'low': np.zeros((5, 7))}, r'field low: found \(5, 7\)'),
        ({'low': np.zeros((3, 0, 7)), 'high': np.zeros((3, 0, 7))}, r'expected \(1 \+ K, H, W\)'),
        ({'classes': np.array([1, 3, 8])}, r'field classes: found \[1, 3, 8\], expected 0 and'),
        ({'classes': np.array([0, 8, 3])}, r'expected 0 and ascending channels 1 \.\. 20'),
        ({'classes': np.array([0, 3, 21])}, r'1 \.\. 20'),
        ({'classes': np.array([0, 3, 3])}, 'ascending'),
    ],
)
def test_wrong_values_are_not_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        save_confident_maps(tmp_path / 'a.npz', maps(**change))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('version', np.array(2), r'field version: found 2, expected 1; .* make the labels again'),
        ('low', np.zeros((3, 5, 7)), 'field low: found float64, expected uint8'),
        ('high', np.zeros((3, 5, 6), np.uint8), r'field high: found \(3, 5, 6\)'),
        ('low', np.zeros((2, 5, 7), np.uint8), r'field low: found \(2, 5, 7\) for classes \(3,\)'),
        ('classes', np.array([0, 3, 30]), r'field classes: found \[0, 3, 30\]'),
        ('format', np.array('mmppc-seed'), 'not a readable confident label file'),
    ],
)
def test_inconsistent_files(tmp_path, field, value, message):
    path = tmp_path / 'a.npz'
    save_confident_maps(path, maps())
    with np.load(path) as archive:
        fields = dict(archive)
    np.savez(path, **{**fields, field: value})
    with pytest.raises(ValueError, match=rf'a\.npz: {message}'):
        load_confident_maps(path)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.npz: no such confident label file'):
        load_confident_maps(tmp_path / 'a.npz')
    (tmp_path / 'a.npz').write_bytes(b'no archive')
    with pytest.raises(ValueError, match=r'expected an \.npz that make_confident_labels wrote'):
        load_confident_maps(tmp_path / 'a.npz')
