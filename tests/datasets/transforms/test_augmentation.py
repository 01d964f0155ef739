import cv2
import numpy as np
import pytest
import torch
from mmseg.models import SegDataPreProcessor
from PIL import Image
from torchvision.transforms import ColorJitter

from mmppc.datasets import (
    PackTaggedInputs,
    PILColorJitter,
    RandomCropPad,
    RandomHSVShift,
    RandomResizeLong,
    ResizeByScale,
)


@pytest.fixture(autouse=True)
def _seed():
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


def picture(height, width):
    return np.random.default_rng(height).integers(256, size=(height, width, 3), dtype=np.uint8)


# ---- RandomResizeLong ----


@pytest.mark.parametrize('shape', [(30, 50), (50, 30), (40, 40)])
def test_resize_long_covers_its_range_with_both_ends(shape):
    transform = RandomResizeLong(10, 14)
    longs = set()
    for _ in range(80):
        results = transform({'img': picture(*shape)})
        height, width = results['img'].shape[:2]
        longs.add(max(height, width))
        assert min(height, width) == round(min(shape) * max(height, width) / max(shape))
        assert (height >= width) == (shape[0] >= shape[1])
        assert results['img_shape'] == (height, width)
        assert results['scale'] == (width, height)
        assert results['scale_factor'] == (width / shape[1], height / shape[0])
    assert longs == {10, 11, 12, 13, 14}


def test_resize_long_rounds_as_published():
    # 375 * 448 / 500 = 336; 333 * 449 / 500 = 299.03; halves go to the even side: 25 * 10 / 100.
    for shape, side, expected in (
        ((375, 500), 448, (336, 448)),
        ((500, 333), 449, (449, 299)),
        ((25, 100), 10, (2, 10)),
        ((1, 100), 10, (1, 10)),
    ):
        results = RandomResizeLong(side, side)({'img': picture(*shape)})
        assert results['img'].shape[:2] == expected


def test_resize_long_is_anti_aliased_bicubic_and_nearest_for_masks():
    image, mask = picture(60, 80), picture(60, 80)[..., 0]
    results = RandomResizeLong(20, 20)({'img': image, 'gt_seg_map': mask})
    expected = Image.fromarray(image).resize((20, 15), Image.Resampling.BICUBIC)
    assert np.array_equal(results['img'], np.asarray(expected))
    # Sampled at the pixels' centres: 4 to 1, so the third of each four.
    assert np.array_equal(results['gt_seg_map'], mask[2::4, 2::4])


@pytest.mark.parametrize(
    ('scale', 'size'), [(0.5, (166, 188)), (1.0, (333, 375)), (1.5, (500, 562))]
)
def test_resize_by_scale_rounds_as_published(scale, size):
    image = picture(333, 375)
    results = ResizeByScale(scale)({'img': image, 'ori_shape': (333, 375)})
    expected = Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC)
    assert np.array_equal(results['img'], expected)
    assert results['img_shape'] == size
    assert results['scale_factor'] == (size[1] / 375, size[0] / 333)
    assert results['ori_shape'] == (333, 375)


def test_resize_by_scale_arguments():
    assert ResizeByScale(0.1)({'img': picture(3, 20)})['img'].shape == (1, 2, 3)
    for scale in (0, -1, float('nan')):
        with pytest.raises(ValueError, match=f'ResizeByScale: scale={scale}, expected'):
            ResizeByScale(scale)


def test_resize_long_arguments():
    assert (RandomResizeLong().low, RandomResizeLong().high) == (448, 768)
    for low, high in ((0, 5), (6, 5)):
        with pytest.raises(ValueError, match=f'1 <= low <= high, found {low}, {high}'):
            RandomResizeLong(low, high)


# ---- RandomCropPad ----


def test_crop_pad_cuts_long_sides_and_places_short_ones():
    image = picture(5, 3)
    mask = np.arange(15, dtype=np.uint8).reshape(5, 3)
    rows, columns = set(), set()
    for _ in range(100):
        results = RandomCropPad((4, 6))({'img': image, 'gt_seg_map': mask})
        canvas, labels = results['img'], results['gt_seg_map']
        assert (canvas.shape, canvas.dtype) == ((4, 6, 3), np.float32)
        assert results['img_shape'] == (4, 6)
        inside = labels != 255
        assert inside.all(axis=0).sum() == inside.any(axis=0).sum() == 3  # whole columns
        left = int(np.flatnonzero(inside[0])[0])
        top = int(labels[0, left]) // 3
        rows.add(top)
        columns.add(left)
        assert np.array_equal(canvas[:, left : left + 3], image[top : top + 4])
        assert np.array_equal(labels[:, left : left + 3], mask[top : top + 4])
        assert (canvas[~inside] == np.float32([103.53, 116.28, 123.675])).all()
    assert rows == {0, 1}
    assert columns == {0, 1, 2, 3}


def test_crop_pad_of_the_same_size_changes_nothing():
    image = picture(8, 8)
    assert np.array_equal(RandomCropPad(8)({'img': image})['img'], image)


def test_padding_is_exactly_zero_after_normalisation():
    image = picture(4, 20)
    results = RandomCropPad(16)({'img': image})
    preprocess = SegDataPreProcessor(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(16, 16),
    )
    packed = PackTaggedInputs()(results)
    data = {'inputs': [packed['inputs']], 'data_samples': [packed['data_samples']]}
    inputs = preprocess(data, training=True)['inputs'][0]
    assert (inputs.abs().sum((0, 2)) == 0).sum() == 12


def test_crop_pad_arguments():
    for size in (0, (4, 0), (1, 2, 3)):
        with pytest.raises(ValueError, match='RandomCropPad: expected a side'):
            RandomCropPad(size)
    results = RandomCropPad(3, pad_value=(1, 2, 3), seg_pad_value=9)(
        {'img': np.zeros((0, 1, 3)), 'gt_seg_map': np.zeros((0, 1), np.uint8)}
    )
    assert (results['img'] == [1, 2, 3]).all()
    assert (results['gt_seg_map'] == 9).all()


# ---- colours ----


def test_color_jitter_is_torchvisions_on_rgb():
    image = picture(20, 30)
    expected = ColorJitter(0.3, 0.3, 0.3, 0.1)(Image.fromarray(image[..., ::-1].copy()))
    torch.manual_seed(0)
    jittered = PILColorJitter()({'img': image})['img']
    assert np.array_equal(jittered, np.asarray(expected)[..., ::-1])
    assert jittered.flags.c_contiguous
    assert not np.array_equal(jittered, image)


def test_hsv_shift_goes_round_and_clips():
    transform = RandomHSVShift()
    hsv = np.uint8([[[178, 100, 100], [3, 250, 250], [90, 5, 120]]])
    image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    start = cv2.cvtColor(image, cv2.COLOR_BGR2HSV).astype(int)
    shifts = []
    for _ in range(300):
        state = np.random.get_state()  # noqa: NPY002
        result = transform({'img': image})['img']
        np.random.set_state(state)  # noqa: NPY002
        shift = np.random.randint([-10] * 3, [11] * 3)  # noqa: NPY002
        shifts.append(shift)
        moved = start + shift
        moved = np.stack(
            [moved[..., 0] % 180, moved[..., 1].clip(0, 255), moved[..., 2].clip(0, 255)], -1
        )
        assert np.array_equal(result, cv2.cvtColor(moved.astype(np.uint8), cv2.COLOR_HSV2BGR))
    for channel in np.array(shifts).T:
        assert set(channel) == set(range(-10, 11))


def test_hsv_shift_of_nothing_keeps_grey_values():
    image = np.full((2, 2, 3), 77, np.uint8)
    assert np.array_equal(RandomHSVShift(0, 0, 0)({'img': image})['img'], image)
    with pytest.raises(ValueError, match=r'ranges >= 0, found \[10, -1, 10\]'):
        RandomHSVShift(saturation=-1)


def test_draws_follow_the_global_seed():
    def run():
        np.random.seed(5)  # noqa: NPY002
        torch.manual_seed(5)
        results = {'img': picture(30, 40)}
        for transform in (
            RandomResizeLong(20, 40),
            PILColorJitter(),
            RandomHSVShift(),
            RandomCropPad(24),
        ):
            results = transform(results)
        return results['img']

    assert np.array_equal(run(), run())


# ---- PackTaggedInputs ----


def test_pack():
    results = {
        'img': picture(4, 6),
        'gt_seg_map': np.full((4, 6), 255, np.uint8),
        'tags': np.float32([0, 1]),
        'sample_id': 'a/b',
        'img_path': 'p/a/b.jpg',
        'ori_shape': (8, 12),
        'img_shape': (4, 6),
        'scale_factor': (0.5, 0.5),
    }
    packed = PackTaggedInputs()(dict(results))
    sample = packed['data_samples']
    assert torch.equal(packed['inputs'], torch.from_numpy(results['img']).permute(2, 0, 1))
    assert sample.gt_tags.label.dtype == torch.float32
    assert sample.gt_tags.label.tolist() == [0, 1]
    assert sample.gt_sem_seg.data.shape == (1, 4, 6)
    assert sample.gt_sem_seg.data.unique().tolist() == [255]
    for key in ('sample_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'):
        assert sample.metainfo[key] == results[key]
    # The sample does not share memory with the dataset.
    results['tags'][0] = 7
    assert sample.gt_tags.label.tolist() == [0, 1]
    bare = PackTaggedInputs()({'img': picture(4, 6)})['data_samples']
    assert 'gt_tags' not in bare
    assert 'gt_sem_seg' not in bare
