"""Pictures of any kind as 8-bit RGB."""

import numpy as np
import pytest
from PIL import Image

from mmppc.storage import read_picture

RGB = np.array(
    [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]], [[1, 2, 3], [4, 5, 6]]], np.uint8
)


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'P', 'LA', 'L', 'CMYK', '1'])
def test_modes(tmp_path, mode):
    picture = Image.fromarray(RGB).convert(mode)
    path = tmp_path / ('a.tif' if mode == 'CMYK' else 'a.png')
    picture.save(path)
    read = read_picture(path)
    assert read.dtype == np.uint8
    assert read.shape == (3, 2, 3)
    assert np.array_equal(read, np.array(picture.convert('RGB')))


def test_sixteen_bits_are_scaled(tmp_path):
    Image.fromarray(np.array([[0, 257, 65535, 32896]], np.uint16)).save(tmp_path / 'a.png')
    assert read_picture(tmp_path / 'a.png')[0, :, 0].tolist() == [0, 1, 255, 128]


def test_orientation_is_applied(tmp_path):
    picture = Image.fromarray(RGB)
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    picture.save(tmp_path / 'a.png', exif=exif)
    assert np.array_equal(read_picture(tmp_path / 'a.png'), np.rot90(RGB, -1))


def test_unreadable_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.jpg: no such picture'):
        read_picture(tmp_path / 'a.jpg')
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.jpg')
    whole = (tmp_path / 'a.jpg').read_bytes()
    for content in (b'', b'picture', whole[: len(whole) // 2]):
        (tmp_path / 'a.jpg').write_bytes(content)
        with pytest.raises(
            ValueError, match=r'a\.jpg: not a picture that can be read, or truncated'
        ):
            read_picture(tmp_path / 'a.jpg')
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / 'a.tif')
    with pytest.raises(ValueError, match='floating-point values'):
        read_picture(tmp_path / 'a.tif')
