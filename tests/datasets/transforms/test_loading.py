import numpy as np
import pytest
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmppc.datasets import LoadIndexMask, LoadPicture, voc_palette


def load(path):
    return LoadPicture()({'img_path': str(path)})


def test_rgb_becomes_bgr(tmp_path):
    values = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    Image.fromarray(values).save(tmp_path / 'a b ä.png')
    results = load(tmp_path / 'a b ä.png')
    assert np.array_equal(results['img'], values[..., ::-1])
    assert results['img'].dtype == np.uint8
    assert results['img'].flags.c_contiguous
    assert results['img_shape'] == results['ori_shape'] == (4, 6)


# Three colours and a grey that every mode below can hold, roughly.
COLORS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (90, 90, 90)]


@pytest.mark.parametrize(
    ('mode', 'suffix', 'tolerance'),
    [
        ('P', 'png', 0),
        ('RGBA', 'png', 0),
        ('CMYK', 'tif', 0),
        ('YCbCr', 'jpg', 4),
        ('RGB', 'webp', 40),
    ],
)
def test_colour_modes(tmp_path, mode, suffix, tolerance):
    values = np.repeat(np.repeat(np.uint8([COLORS]), 16, axis=0), 16, axis=1)
    image = Image.fromarray(values)
    if mode == 'P':
        image = image.quantize(4)
    elif mode != 'RGB':
        image = image.convert(mode)
    image.save(tmp_path / f'a.{suffix}')
    result = load(tmp_path / f'a.{suffix}')['img'][8, 8::16, ::-1].astype(int)
    assert np.abs(result - COLORS).max() <= tolerance


def test_cmyk_jpeg(tmp_path):
    Image.new('RGB', (16, 16), (200, 40, 90)).convert('CMYK').save(tmp_path / 'a.jpg', quality=95)
    image = load(tmp_path / 'a.jpg')['img']
    assert image.shape == (16, 16, 3)
    assert np.abs(image[8, 8].astype(int) - (90, 40, 200)).max() <= 4


def test_transparency_is_dropped(tmp_path):
    Image.new('RGBA', (2, 2), (10, 20, 30, 0)).save(tmp_path / 'a.png')
    assert load(tmp_path / 'a.png')['img'][0, 0].tolist() == [30, 20, 10]
    image = Image.new('P', (2, 2), 1)
    image.putpalette([9, 9, 9, 10, 20, 30])
    image.save(tmp_path / 'p.png', transparency=b'\x00\x80')
    assert load(tmp_path / 'p.png')['img'][0, 0].tolist() == [30, 20, 10]


@pytest.mark.parametrize(
    ('mode', 'value', 'expected'), [('L', 77, 77), ('1', 1, 255), ('LA', 77, 77)]
)
def test_grey_modes(tmp_path, mode, value, expected):
    Image.new(mode, (3, 2), (value, 9) if mode == 'LA' else value).save(tmp_path / 'a.png')
    assert (load(tmp_path / 'a.png')['img'] == np.full((2, 3, 3), expected)).all()


@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_sixteen_bits_are_scaled(tmp_path, suffix):
    values = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f'a.{suffix}')
    assert load(tmp_path / f'a.{suffix}')['img'][0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]


@pytest.mark.parametrize(('dtype', 'value'), [(np.float32, 0.5), (np.int32, 70000), (np.int32, -1)])
def test_numbers_that_are_no_picture(tmp_path, dtype, value):
    Image.fromarray(np.full((2, 2), value, dtype)).save(tmp_path / 'a.tif')
    with pytest.raises(ValueError, match=r'a\.tif: .*expected 8 or 16 bits'):
        load(tmp_path / 'a.tif')


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned by 90 degrees
    values = np.zeros((16, 32, 3), np.uint8)
    values[:, :16] = 255  # the left half becomes the upper one
    Image.fromarray(values).save(tmp_path / 'a.jpg', exif=exif)
    results = load(tmp_path / 'a.jpg')
    assert results['ori_shape'] == (32, 16)
    assert results['img'][4, 8, 0] > 250
    assert results['img'][28, 8, 0] < 5


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.jpg: no such picture'):
        load(tmp_path / 'a.jpg')
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    for name in ('a.jpg', 'a.png', 'a.webp'):
        path = tmp_path / name
        Image.fromarray(noise).save(path)
        whole = path.read_bytes()
        for content in (whole[: len(whole) // 2], whole[:20], b'', b'a text'):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=rf'{name}: not a picture .* truncated or damaged'):
                load(path)


@pytest.mark.parametrize('name', ['turned.jpg', 'deep.png', 'alpha.png', 'missing.jpg', 'cut.jpg'])
def test_the_stock_loader_reads_as_ours_does(tmp_path, name):
    draw = np.random.default_rng(0)
    noise = draw.integers(256, size=(37, 51, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned by 90 degrees
    Image.fromarray(noise).save(tmp_path / 'turned.jpg', exif=exif)
    deep = draw.integers(1 << 16, size=(37, 51), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / 'deep.png')
    Image.fromarray(np.dstack([noise, noise[..., 0]])).save(tmp_path / 'alpha.png')
    (tmp_path / 'cut.jpg').write_bytes((tmp_path / 'turned.jpg').read_bytes()[:1500])
    stock = dict(type='LoadImageFromFile', backend_args=dict(backend='picture'))
    outcomes = []
    for loader in (LoadPicture(), TRANSFORMS.build(stock)):
        try:
            outcomes.append(loader({'img_path': str(tmp_path / name)}))
        except (ValueError, OSError) as error:
            outcomes.append((type(error), str(error)))
    if name in ('missing.jpg', 'cut.jpg'):
        assert outcomes[0] == outcomes[1]
        assert name in outcomes[1][1]
    else:
        assert np.array_equal(outcomes[0]['img'], outcomes[1]['img'])
        assert outcomes[0]['ori_shape'] == outcomes[1]['ori_shape']


# ---- masks ----


def load_mask(path, transform=None, **sample):
    return (transform or LoadIndexMask())({'seg_map_path': str(path), 'num_classes': 4, **sample})


def test_palette_and_grey_masks_hold_the_same_indices(tmp_path):
    values = np.array([[0, 1, 2], [3, 255, 0]], np.uint8)
    grey = Image.fromarray(values)
    grey.save(tmp_path / 'grey.png')
    palette = grey.copy()
    palette.putpalette(np.uint8(voc_palette()).tobytes())
    palette.save(tmp_path / 'palette.png')
    for name in ('grey.png', 'palette.png'):
        results = load_mask(tmp_path / name, ori_shape=(2, 3), seg_fields=[])
        assert np.array_equal(results['gt_seg_map'], values)
        assert results['gt_seg_map'].dtype == np.uint8
        assert results['seg_fields'] == ['gt_seg_map']


def test_one_bit_mask(tmp_path):
    Image.fromarray(np.array([[False, True]])).save(tmp_path / 'a.png')
    assert load_mask(tmp_path / 'a.png')['gt_seg_map'].tolist() == [[0, 1]]


def test_sample_without_a_mask_passes():
    assert LoadIndexMask()({'img_path': 'a.jpg'}) == {'img_path': 'a.jpg'}


def test_values_outside_the_classes(tmp_path):
    Image.fromarray(np.uint8([[0, 4, 200, 255]])).save(tmp_path / 'a.png')
    message = r'a\.png: mask holds 4, 200, expected classes 0 \.\. 3 or 255'
    with pytest.raises(ValueError, match=message):
        load_mask(tmp_path / 'a.png')
    assert load_mask(tmp_path / 'a.png', num_classes=201)['gt_seg_map'].max() == 255
    with pytest.raises(ValueError, match=r'mask holds 200, expected classes 0 \.\. 4'):
        load_mask(tmp_path / 'a.png', num_classes=3, transform=LoadIndexMask(num_classes=5))


@pytest.mark.parametrize('mode', ['RGB', 'RGBA', 'LA'])
def test_colour_mask(tmp_path, mode):
    Image.new(mode, (2, 2)).save(tmp_path / 'a.png')
    message = rf'a\.png: colour mask \(mode {mode}\), expected an index mask'
    with pytest.raises(ValueError, match=message):
        load_mask(tmp_path / 'a.png')


def test_sixteen_bit_mask(tmp_path):
    Image.fromarray(np.ones((2, 2), np.uint16)).save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match=r'a\.png: .*mask \(mode I.*expected an index mask'):
        load_mask(tmp_path / 'a.png')


def test_size_differs_from_the_pictures(tmp_path):
    Image.new('L', (30, 20)).save(tmp_path / 'a.png')
    message = r'a\.png: the mask is 30x20 pixels, expected 20x30 as its picture p\.jpg'
    with pytest.raises(ValueError, match=message):
        load_mask(tmp_path / 'a.png', ori_shape=(30, 20), img_path='p.jpg')
    # Resized before the mask is loaded, as for a test: the loaded size counts.
    resized = {'ori_shape': (20, 30), 'img_shape': (10, 15)}
    assert load_mask(tmp_path / 'a.png', **resized)['gt_seg_map'].shape == (20, 30)


def test_missing_and_truncated_mask(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\.png: no such mask'):
        load_mask(tmp_path / 'a.png')
    Image.fromarray(np.random.default_rng(0).integers(4, size=(64, 64), dtype=np.uint8)).save(
        tmp_path / 'a.png'
    )
    whole = (tmp_path / 'a.png').read_bytes()
    (tmp_path / 'a.png').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r'a\.png: not a mask .* truncated or damaged'):
        load_mask(tmp_path / 'a.png')


def test_relabelling_is_refused():
    with pytest.raises(ValueError, match='label_map and reduce_zero_label are not applied'):
        load_mask('a.png', reduce_zero_label=True)
