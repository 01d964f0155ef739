"""Embedded pictures are small, and what they should be."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, features

from mmppc.refinement.records import PictureRecord
from mmppc.report.columns import Column, PictureFiles
from mmppc.report.thumbnails import HEAT_SIDE, SIDE, embed_picture
from mmppc.storage import save_mask, save_seed
from mmppc.visualization import heat_colours

PALETTE = ((0, 0, 0), (128, 0, 0), (0, 128, 0))


def decode(uri):
    head, data = uri.split(';base64,')
    assert head.startswith('data:image/')
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.fixture
def picture(tmp_path):
    height, width = 600, 900
    Image.new('RGB', (width, height), (200, 100, 50)).save(tmp_path / 'a.png')
    mask = np.zeros((height, width), np.uint8)
    mask[:, 450:] = 2
    mask[300:, 450:] = 255
    for name in ('truth', 'mask'):
        save_mask(tmp_path / f'{name}.png', mask, PALETTE)
    scores = np.zeros((1, height, width), np.float32)
    scores[:, :, 450:] = 1
    save_seed(tmp_path / 'a.npz', scores, np.array([1]), num_classes=3)
    record = PictureRecord('a', str(tmp_path / 'a.png'), str(tmp_path / 'truth.png'))
    files = {'seeds': tmp_path / 'a.npz', 'masks': tmp_path / 'mask.png'}
    return PictureFiles(record, 'val', files)


COLUMNS = (Column('seeds', 'seed', 'seeds', 0.4), Column('masks', 'mask', 'masks'))


def test_layers(picture):
    place, images = embed_picture(COLUMNS, PALETTE, (5, picture))
    assert place == 5
    assert images.notes == ()
    assert images.size == (600, 900)
    photo = decode(images.photo)
    assert photo.size == (SIDE, round(SIDE * 600 / 900))
    np.testing.assert_allclose(np.array(photo)[50, 50], (200, 100, 50), atol=6)
    assert [(layer.key, layer.label, layer.classes) for layer in images.layers] == [
        ('truth', None, (2,)), ('heat', 1, ()), ('seeds', None, (1,)), ('masks', None, (2,)),
    ]  # fmt: skip
    truth, heat, seed, _ = (decode(layer.image) for layer in images.layers)
    pixels = np.array(truth.convert('RGBA'))
    assert pixels[10, 10].tolist()[3] == 0  # background is clear
    assert pixels[10, -10].tolist() == [0, 128, 0, 255]
    assert pixels[-10, -10].tolist() == [224, 224, 192, 255]  # void
    assert max(heat.size) == HEAT_SIDE
    hot = heat_colours(np.ones((1, 1)))[0, 0]
    np.testing.assert_allclose(np.array(heat.convert('RGB'))[50, -20], hot, atol=25)
    assert np.array(seed.convert('RGBA'))[10, -10].tolist() == [128, 0, 0, 255]
    assert sum(len(layer.image) for layer in images.layers) < 20_000


def test_small_pictures_stay_as_they_are(picture, tmp_path):
    Image.new('RGB', (30, 20)).save(tmp_path / 'a.png')
    _, images = embed_picture((), PALETTE, (0, picture))
    assert decode(images.photo).size == (30, 20)


def test_broken_files_are_noted(picture, tmp_path):
    (tmp_path / 'mask.png').write_bytes(b'x')
    (tmp_path / 'truth.png').unlink()
    _, images = embed_picture(COLUMNS, PALETTE, (0, picture))
    assert [layer.key for layer in images.layers] == ['heat', 'seeds']
    assert len(images.notes) == 2
    (tmp_path / 'a.png').write_bytes(b'x')
    _, images = embed_picture(COLUMNS, PALETTE, (0, picture))
    assert images.photo is None
    assert 'a.png' in images.notes[0]


def test_without_webp(picture, monkeypatch):
    monkeypatch.setattr(features, 'check', lambda name: False)
    _, images = embed_picture(COLUMNS, PALETTE, (0, picture))
    assert images.photo.startswith('data:image/jpeg')
    assert images.layers[0].image.startswith('data:image/png')
    assert np.array(decode(images.layers[0].image))[10, 10, 3] == 0
