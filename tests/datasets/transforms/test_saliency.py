"""Saliency maps are read, and stay aligned with their pictures through resizing, flipping and cropping."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmseg.models import SegDataPreProcessor
from mmseg.registry import TRANSFORMS
from PIL import Image

from mmppc.datasets import LoadSaliency, PackTaggedInputs, RandomCropPad, RandomResizeLong


@pytest.fixture(autouse=True)
def _seed():
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


def soft(height, width):
    """A smooth map (H, W) uint8 without any symmetry."""
    y, x = np.mgrid[:height, :width]
    return np.round(127 + 90 * np.sin(0.11 * y + 0.5) + 35 * np.cos(0.17 * x + 0.05 * y)).clip(
        0, 255
    ).astype(np.uint8)  # fmt: skip


def load(folder, name='a', size=(20, 30), **options):
    results = {'sample_id': name, 'ori_shape': size, 'img_path': f'{name}.jpg'}
    return LoadSaliency(str(folder), **options)(results)


class TestLoading:
    def test_grey(self, tmp_path):
        values = soft(20, 30)
        (tmp_path / 'sub').mkdir()
        Image.fromarray(values).save(tmp_path / 'sub/a.png')
        results = load(tmp_path, 'sub/a')
        assert results['saliency'].dtype == np.float32
        np.testing.assert_allclose(results['saliency'], values / 255, atol=1e-7)
        assert results['seg_fields'] == ['saliency']

    def test_channels_are_averaged(self, tmp_path):
        Image.new('RGB', (30, 20), (255, 51, 0)).save(tmp_path / 'a_sal.bmp')
        saliency = load(tmp_path, suffix='_sal.bmp')['saliency']
        np.testing.assert_allclose(saliency, 0.4, atol=1e-6)

    def test_range(self, tmp_path):
        Image.fromarray(np.uint8([[0, 255]])).save(tmp_path / 'a.png')
        assert load(tmp_path, size=(1, 2))['saliency'].tolist() == [[0.0, 1.0]]

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'a\.png: no such saliency map; .*make_salie'):
            load(tmp_path)

    def test_wrong_size(self, tmp_path):
        Image.fromarray(soft(20, 30)).save(tmp_path / 'a.png')
        with pytest.raises(ValueError, match=r'a\.png: found 30x20 pixels, expected 20x30 as .*a'):
            load(tmp_path, size=(30, 20))

    def test_damaged(self, tmp_path):
        (tmp_path / 'a.png').write_bytes(b'no picture')
        with pytest.raises(ValueError, match=r'a\.png: not a picture that can be read'):
            load(tmp_path)


def pair(height=90, width=130):
    """A picture whose green channel is its saliency map."""
    values = soft(height, width)
    picture = np.stack([255 - values, values, values // 2], axis=2)
    return {
        'img': picture,
        'saliency': values.astype(np.float32) / 255,
        'seg_fields': ['saliency'],
        'ori_shape': (height, width),
    }


def assert_aligned(results, tolerance=1 / 255):
    inside = results['img'][..., 0] + results['img'][..., 1] == 255
    green = results['img'][..., 1].astype(np.float32) / 255
    assert inside.mean() > 0.2
    np.testing.assert_allclose(results['saliency'][inside], green[inside], atol=tolerance)


def flip(direction='horizontal'):
    return TRANSFORMS.build(dict(type='RandomFlip', prob=1.0, direction=direction))


class TestAlignment:
    @pytest.mark.parametrize('shape', [(90, 130), (130, 90)])
    def test_resize(self, shape):
        results = RandomResizeLong(40, 300)(pair(*shape))
        assert results['saliency'].shape == results['img'].shape[:2]
        # The picture is rounded to 8 bits after each axis, the saliency map is not.
        assert_aligned(results, 2 / 255)

    def test_bicubic_is_cut_to_the_range(self):
        results = pair(64, 64)
        results['saliency'] = np.kron([[0, 1], [1, 0]], np.ones((32, 32))).astype(np.float32)
        expected = np.asarray(Image.fromarray(results['saliency']).resize((90, 90), 3))
        assert expected.min() < 0
        assert expected.max() > 1
        saliency = RandomResizeLong(90, 90)(results)['saliency']
        np.testing.assert_array_equal(saliency, expected.clip(0, 1))

    def test_nearest(self):
        results = pair(60, 80)
        given = results['saliency']
        saliency = RandomResizeLong(20, 20, saliency_interpolation='nearest')(results)['saliency']
        np.testing.assert_array_equal(saliency, given[2::4, 2::4])

    def test_unknown_interpolation(self):
        with pytest.raises(ValueError, match="saliency_interpolation='cubic', expected one of"):
            RandomResizeLong(20, 20, saliency_interpolation='cubic')

    @pytest.mark.parametrize('direction', ['horizontal', 'vertical'])
    def test_flip(self, direction):
        before = pair()['saliency']
        results = flip(direction)(pair())
        axis = 1 if direction == 'horizontal' else 0
        np.testing.assert_array_equal(results['saliency'], np.flip(before, axis))
        assert_aligned(results)

    @pytest.mark.parametrize('crop', [64, 128, (200, 60), (50, 160)])
    def test_crop(self, crop):
        for _ in range(5):
            results = RandomCropPad(crop, pad_value=(7.0, 0.0, 0.0))(pair())
            assert results['saliency'].dtype == np.float32
            assert_aligned(results)
            padding = (results['img'] == (7, 0, 0)).all(axis=2)
            assert (results['saliency'][padding] == 0).all()

    def test_the_whole_pipeline(self):
        transforms = Compose([
            RandomResizeLong(60, 160),
            TRANSFORMS.build(dict(type='RandomFlip', prob=0.5)),
            RandomCropPad(96, pad_value=(7.0, 0.0, 0.0)),
        ])  # fmt: skip
        flips = set()
        for _ in range(20):
            results = transforms(pair())
            flips.add(results['flip'])
            assert_aligned(results, 2 / 255)
        assert flips == {True, False}

    def test_a_mask_beside_it(self):
        given = {**pair(), 'seg_fields': ['gt_seg_map', 'saliency']}
        given['gt_seg_map'] = np.round(given['saliency'] * 255).astype(np.uint8)
        results = RandomCropPad(64)(flip()(given))
        np.testing.assert_allclose(results['saliency'], results['gt_seg_map'] / 255, atol=1e-6)


class TestPacking:
    def test_reaches_the_model(self):
        packed = [
            PackTaggedInputs()(RandomCropPad(64)(flip()({**pair(), 'tags': [0, 1]})))
            for _ in range(2)
        ]
        preprocessor = SegDataPreProcessor(
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            size=(64, 64),
        )
        batch = {key: [item[key] for item in packed] for key in packed[0]}
        batch = preprocessor(batch, True)
        for sample, item in zip(batch['data_samples'], packed):
            saliency = sample.gt_saliency.data
            assert saliency.shape == (1, 64, 64)
            assert saliency.dtype == torch.float32
            assert torch.equal(saliency, item['data_samples'].gt_saliency.data)
            assert sample.gt_tags.label.tolist() == [0, 1]

    def test_left_behind_by_another_transform(self):
        results = pair()
        results['img'] = results['img'][:50]
        with pytest.raises(ValueError, match=r'the saliency map is \(90, 130\), the picture \(50,'):
            PackTaggedInputs()(results)
