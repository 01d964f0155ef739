"""tools/dataset_converters/make_saliency.py: maps that LoadSaliency reads, made once."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from mmppc.datasets import LoadSaliency
from tests.tools.test_dataset_converters import run


@pytest.fixture
def pictures(tmp_path):
    """A scene with an object, a one-pixel picture, a grey one of one value, and one in a subfolder."""
    folder = tmp_path / 'pictures'
    (folder / 'sub').mkdir(parents=True)
    scene = np.random.default_rng(0).integers(90, 110, (300, 400, 3), dtype=np.uint8)
    scene[100:200, 150:250] = (220, 30, 30)
    Image.fromarray(scene).save(folder / 'scene.jpg')
    Image.fromarray(scene[:150]).save(folder / 'sub/half.png')
    Image.new('RGB', (1, 1), (9, 8, 7)).save(folder / 'one.png')
    Image.new('L', (40, 30), 77).save(folder / 'flat.png')
    return folder


SIZES = {'scene': (300, 400), 'sub/half': (150, 400), 'one': (1, 1), 'flat': (30, 40)}


@pytest.mark.parametrize('method', ['border_contrast', 'spectral_residual'])
def test_maps(pictures, tmp_path, method):
    folder = tmp_path / 'Saliency'
    done = run('make_saliency.py', pictures, folder, '--method', method)
    assert done.returncode == 0, done.stderr
    assert f'4 saliency maps by {method} in {folder} (4 made now)' in done.stdout
    for name, size in SIZES.items():
        results = dict(sample_id=name, ori_shape=size, img_path=name)
        saliency = LoadSaliency(str(folder))(results)['saliency']
        assert 0 <= saliency.min() <= saliency.max() <= 1
        if name == 'scene' and method == 'border_contrast':
            assert saliency[120:180, 170:230].mean() > saliency[:60].mean() + 0.1
    assert json.loads((folder / 'saliency.json').read_text())['method'] == method
    assert not list(folder.rglob('*.tmp'))


def test_goes_on_where_it_stopped_and_never_mixes(pictures, tmp_path):
    folder = tmp_path / 'Saliency'
    assert run('make_saliency.py', pictures, folder).returncode == 0
    before = (folder / 'scene.png').stat().st_mtime_ns
    (folder / 'sub/half.png').unlink()
    again = run('make_saliency.py', pictures, folder)
    assert '(1 made now)' in again.stdout
    assert (folder / 'scene.png').stat().st_mtime_ns == before
    other = run('make_saliency.py', pictures, folder, '--method', 'spectral_residual')
    assert other.returncode == 2
    assert 'holds maps of border_contrast, expected spectral_residual' in other.stderr
    (folder / 'saliency.json').unlink()
    foreign = run('make_saliency.py', pictures, folder)
    assert foreign.returncode == 2
    assert 'holds maps of an unknown method' in foreign.stderr


def test_maps_below_the_pictures_are_no_pictures(pictures):
    first = run('make_saliency.py', pictures, pictures / 'Saliency')
    again = run('make_saliency.py', pictures, pictures / 'Saliency')
    assert again.returncode == 0
    assert '(0 made now)' in again.stdout
    assert again.stdout.split(' saliency')[0] == first.stdout.split(' saliency')[0]


def test_errors(pictures, tmp_path):
    missing = run('make_saliency.py', tmp_path / 'none', tmp_path / 'out')
    assert missing.returncode == 2
    assert 'none: no such folder' in missing.stderr
    (pictures / 'bad.jpg').write_bytes(b'text')
    broken = run('make_saliency.py', pictures, tmp_path / 'out')
    assert broken.returncode == 2
    assert 'bad.jpg: not a picture that can be read' in broken.stderr
    if not hasattr(cv2, 'saliency'):
        absent = run('make_saliency.py', pictures, tmp_path / 'out', '--method', 'fine_grained')
        assert absent.returncode == 2
        assert 'has no module saliency: pip install' in absent.stderr
