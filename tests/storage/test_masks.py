"""Palette masks: round trip and refusal of what is no index mask."""

import numpy as np
import pytest
from PIL import Image

from mmppc.storage import load_mask, save_mask
from mmppc.storage.masks import mask_meta

PALETTE = [(0, 0, 0), (128, 0, 0), (0, 128, 0)]


def test_round_trip_as_palette_png(tmp_path):
    mask = np.array([[0, 1, 2], [255, 1, 0]])
    save_mask(tmp_path / 'set/a.png', mask, PALETTE)
    loaded = load_mask(tmp_path / 'set/a.png', 3)
    assert loaded.dtype == np.uint8
    assert np.array_equal(loaded, mask)
    with Image.open(tmp_path / 'set/a.png') as picture:
        assert picture.mode == 'P'
        colours = np.array(picture.convert('RGB'))
    assert colours[0].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert colours[1, 0].tolist() == [224, 224, 192]


@pytest.mark.parametrize('mode', ['L', 'P', '1'])
def test_index_masks_of_other_origin(tmp_path, mode):
    mask = np.array([[0, 1], [1, 0]], np.uint8)
    picture = Image.fromarray(mask) if mode != '1' else Image.fromarray(mask.astype(bool))
    if mode == 'P':
        picture.putpalette([0, 0, 0, 9, 9, 9])
    assert picture.mode == mode
    picture.save(tmp_path / 'a.png')
    assert load_mask(tmp_path / 'a.png', 2).tolist() == mask.tolist()


def test_wrong_files(tmp_path):
    Image.new('RGB', (3, 2)).save(tmp_path / 'colour.png')
    with pytest.raises(
        ValueError, match=r'colour\.png: colour mask \(mode RGB\), expected an index'
    ):
        load_mask(tmp_path / 'colour.png')
    save_mask(tmp_path / 'a.png', np.array([[0, 2], [255, 1]]), PALETTE)
    with pytest.raises(ValueError, match=r'a\.png: mask holds 2, expected classes 0 \.\. 1 or 255'):
        load_mask(tmp_path / 'a.png', 2)
    with pytest.raises(FileNotFoundError, match=r'b\.png: no such mask'):
        load_mask(tmp_path / 'b.png')
    whole = (tmp_path / 'a.png').read_bytes()
    for content in (b'', b'mask', whole[: len(whole) - 30]):
        (tmp_path / 'c.png').write_bytes(content)
        with pytest.raises(ValueError, match=r'c\.png: not a mask that can be read'):
            load_mask(tmp_path / 'c.png')


@pytest.mark.parametrize(
    ('mask', 'palette', 'message'),
    [
        (np.array([[0, 3]]), PALETTE, r'mask holds 3, expected classes 0 \.\. 2 or 255'),
        (np.array([[0, -1]]), PALETTE, 'mask holds -1'),
        (np.array([[0, 256]]), PALETTE, 'mask holds 256'),
        (np.zeros((2, 2)), PALETTE, 'float64, expected'),
        (np.zeros((2, 2, 3), int), PALETTE, r'\(2, 2, 3\)'),
        (np.zeros((0, 2), int), PALETTE, r'\(0, 2\)'),
        (np.array([[0]]), [], 'palette'),
    ],
)
def test_wrong_masks_are_not_written(tmp_path, mask, palette, message):
    with pytest.raises(ValueError, match=message):
        save_mask(tmp_path / 'a.png', mask, palette)
    assert not list(tmp_path.iterdir())


def test_the_record_travels_in_the_file(tmp_path):
    path = tmp_path / 'a.png'
    save_mask(path, np.zeros((2, 3), np.uint8), PALETTE, meta={'weights': 'ä1', 'scales': [1, 2]})
    assert mask_meta(path) == {'weights': 'ä1', 'scales': [1, 2]}
    assert load_mask(path).shape == (2, 3)
    save_mask(path, np.zeros((2, 3), np.uint8), PALETTE)
    assert mask_meta(path) == {}
    with pytest.raises(FileNotFoundError, match='no such mask'):
        mask_meta(tmp_path / 'none.png')
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match='damaged'):
        mask_meta(path)
