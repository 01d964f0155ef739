"""Published maps to seeds, and what is refused without being run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmppc.storage import load_seed
from mmppc.utils.published_cams import convert_published_cams, read_published_cams

TOOL = Path(__file__).parents[2] / 'tools/model_converters/published_cams_to_seeds.py'
FIRST = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
SECOND = FIRST[::-1].copy()


def save(path, content):
    np.save(path, content, allow_pickle=True)
    return path


class Call:
    """Pickled as a call of anything."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def run(*arguments):
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize('kind', [int, np.int64, np.int32])
def test_maps_by_class_number(tmp_path, kind):
    found = read_published_cams(save(tmp_path / 'a.npy', {kind(14): FIRST, kind(0): SECOND}), 21)
    np.testing.assert_array_equal(found.classes, [1, 15])
    np.testing.assert_array_equal(found.scores, [SECOND, FIRST])
    assert found.scores.dtype == np.float32
    assert found.outside is None


@pytest.mark.parametrize('tensors', [True, False])
def test_maps_of_irn(tmp_path, tensors):
    whole, small = np.stack([FIRST, SECOND]), np.ones((2, 1, 1), np.float32)
    keys = np.array([14, 3])
    content = {'keys': keys, 'cam': small, 'high_res': whole}
    if tensors:  # IRN itself stores these two so
        content |= {'keys': torch.from_numpy(keys), 'cam': torch.from_numpy(small)}
    found = read_published_cams(save(tmp_path / 'a.npy', content), 21)
    np.testing.assert_array_equal(found.classes, [4, 15])
    np.testing.assert_array_equal(found.scores, [SECOND, FIRST])
    content = {'keys': keys[:0], 'cam': small[:0], 'high_res': whole[:0]}
    found = read_published_cams(save(tmp_path / 'b.npy', content), 21)
    assert found.scores.shape == (0, 3, 4)
    assert found.classes.shape == (0,)


@pytest.mark.parametrize('place', ['map', 'key', 'whole', 'tensor'])
def test_a_malicious_pickle_is_not_run_and_named(tmp_path, place):
    target = tmp_path / 'hacked'
    call = Call(os.mkdir, str(target))
    if place == 'tensor':  # a pickle within the pickle, where a tensor has its data
        torch.save(call, tmp_path / 'inner.pth', _use_new_zipfile_serialization=False)
        data = (tmp_path / 'inner.pth').read_bytes()
        content = {0: Call(torch.storage._load_from_bytes, data)}
    else:
        content = {'map': {0: call}, 'key': {0: FIRST, call: FIRST}, 'whole': call}[place]
    path = save(tmp_path / 'a.npy', np.array(content, dtype=object))
    with pytest.raises(ValueError, match=r'a\.npy: cannot be unpickled: (.|\n)*mkdir'):
        read_published_cams(path, 21)
    done = run(tmp_path, tmp_path / 'out', '--classes', 21)
    assert done.returncode == 2
    assert 'mkdir' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not target.exists()
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([FIRST], r'expected one pickled dict, found float32 of shape \(1, 3, 4\)'),
        ({20: FIRST}, r'field 20: expected classes 0 \.\. 19, those of 21 with the background'),
        ({-1: FIRST}, 'field -1: expected classes'),
        ({True: FIRST}, 'field True: expected a class number'),
        ({'cat': FIRST}, "field 'cat': expected a class number"),
        ({0: FIRST, 1: FIRST[:2]}, r'field 1: found float32 of shape \(2, 4\), .*first, \(3, 4\)'),
        ({0: FIRST[0]}, r'field 0: found float32 of shape \(4,\), expected floats \(H, W\)'),
        ({0: FIRST[:0]}, r'found float32 of shape \(0, 4\)'),
        ({0: FIRST.astype(int)}, 'field 0: found int64'),
        ({0: 'x'}, 'field 0: found <U1'),
        ({0: FIRST * np.nan}, 'scores that are not finite'),
        ({'keys': [1], 'high_res': np.stack([FIRST, SECOND])}, 'field keys: found 1 for 2 maps'),
        ({'keys': [1, 1], 'high_res': np.stack([FIRST, SECOND])}, 'expected each class once'),
    ],
)
def test_refuses_other_content(tmp_path, content, message):
    with pytest.raises(ValueError, match=r'a\.npy: .*' + message):
        read_published_cams(save(tmp_path / 'a.npy', content), 21)


def test_scores_outside_are_clipped(tmp_path):
    path = save(tmp_path / 'a.npy', {2: FIRST * 3 - 1})
    found = convert_published_cams(path, tmp_path / 'a.npz', 'a', 21)
    assert found.outside == (-1, 2)
    seed = load_seed(tmp_path / 'a.npz')
    np.testing.assert_allclose(seed.scores[0], (FIRST * 3 - 1).clip(0, 1), atol=1e-3)
    assert seed.meta == {'published': 'a.npy', 'sample_id': 'a'}
    assert (seed.classes.tolist(), seed.num_classes) == ([3], 21)


def test_a_file_without_a_class_takes_the_size_of_its_picture(tmp_path):
    path, out = save(tmp_path / 'a.npy', {}), tmp_path / 'a.npz'
    with pytest.raises(ValueError, match=r'a\.npy: no class, and so no size'):
        convert_published_cams(path, out, 'a', 21)
    Image.new('RGB', (5, 2)).save(tmp_path / 'a.jpg')
    assert convert_published_cams(path, out, 'a', 21, tmp_path / 'a.jpg').outside is None
    assert load_seed(out).scores.shape == (0, 2, 5)


def test_the_tool_resumes_reports_and_keeps_what_is_not_its_own(tmp_path):
    src, out, pictures = tmp_path / 'src', tmp_path / 'out', tmp_path / 'pictures'
    (src / 'set').mkdir(parents=True)
    pictures.mkdir()
    save(src / '2007_000032.npy', {0: FIRST})
    save(src / 'set' / 'b.npy', {0: FIRST - 0.5, 19: SECOND})
    save(src / 'empty.npy', {})
    Image.new('RGB', (6, 7)).save(pictures / 'empty.png')
    options = (src, out, '--classes', 21, '--img-dir', pictures)
    done = run(*options)
    assert done.returncode == 0, done.stderr
    assert 'scores of 1 files, which span -0.5 .. 1: set/b.npy' in done.stdout
    assert '3 seeds written, 0 were finished' in done.stdout
    assert load_seed(out / 'set' / 'b.npz').classes.tolist() == [1, 20]
    assert load_seed(out / 'set' / 'b.npz').meta['sample_id'] == 'set/b'
    assert load_seed(out / 'empty.npz').size == (7, 6)
    assert {path.name for path in out.rglob('*.*')} == {'2007_000032.npz', 'b.npz', 'empty.npz'}

    stamps = {path: path.stat().st_mtime_ns for path in out.rglob('*.npz')}
    (out / 'empty.npz').unlink()
    done = run(*options)
    assert '1 seeds written, 2 were finished' in done.stdout
    del stamps[out / 'empty.npz']
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps

    done = run(src, out, '--classes', 81)
    assert done.returncode == 2
    assert 'holds a seed of 21 classes, not one made from 2007_000032.npy for 81' in done.stderr
    for options, message in (
        ((tmp_path / 'none', out, '--classes', 21), 'no such folder'),
        ((pictures, out, '--classes', 21), 'no .npy file'),
        ((src, out, '--classes', 1), '--classes counts the background and a class, found 1'),
    ):
        done = run(*options)
        assert done.returncode == 2
        assert message in done.stderr
