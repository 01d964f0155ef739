"""Loading of seeds and confident labels, and their way to the affinity grid."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose, RandomFlip

from mmppc.datasets.transforms import (
    LoadConfidentLabels,
    LoadConfidentMaps,
    LoadSeed,
    PackTaggedInputs,
    PoolConfidentMaps,
    RandomCropPad,
    ShrinkMask,
)
from mmppc.storage.confident_maps import ConfidentMaps, save_confident_maps
from mmppc.storage.masks import save_mask
from mmppc.storage.seeds import save_seed


def picture(height=16, width=24, name='set/a'):
    return {
        'img': np.zeros((height, width, 3), np.uint8),
        'img_path': f'{name}.jpg',
        'img_shape': (height, width),
        'ori_shape': (height, width),
        'sample_id': name,
        'num_classes': 7,
    }


def test_seed_goes_into_the_sample(tmp_path):
    scores = np.random.default_rng(0).random((2, 16, 24))
    save_seed(tmp_path / 'set/a.npz', scores, np.array([2, 5]), num_classes=7)
    packed = PackTaggedInputs()(LoadSeed(str(tmp_path))(picture()))
    sample = packed['data_samples']
    assert sample.seed_classes.label.tolist() == [2, 5]
    assert sample.seed_classes.num_classes == 7
    assert np.array_equal(sample.seed.data.numpy(), scores.astype(np.float16))


def test_seed_of_a_picture_without_tags(tmp_path):
    save_seed(tmp_path / 'set/a.npz', np.zeros((0, 16, 24)), np.zeros(0, int), num_classes=7)
    sample = PackTaggedInputs()(LoadSeed(str(tmp_path))(picture()))['data_samples']
    assert tuple(sample.seed.data.shape) == (0, 16, 24)
    assert sample.seed_classes.label.tolist() == []


def test_seeds_that_do_not_fit_are_refused(tmp_path):
    load = LoadSeed(str(tmp_path))
    with pytest.raises(FileNotFoundError, match='test the CAM network first'):
        load(picture())
    save_seed(tmp_path / 'set/a.npz', np.zeros((1, 16, 23)), np.array([2]), num_classes=7)
    with pytest.raises(ValueError, match='found 23x16 pixels, expected 24x16'):
        load(picture())
    save_seed(tmp_path / 'set/a.npz', np.zeros((1, 16, 24)), np.array([2]), num_classes=4)
    with pytest.raises(ValueError, match='found 4, expected 7'):
        load(picture())


@pytest.fixture
def maps(tmp_path):
    """Class 3 on the right half, sure of it in columns 16..23, of the background in columns 0..7."""
    low, high = np.zeros((2, 2, 16, 24), np.float32)
    low[1, :, 16:] = high[1, :, 8:] = 1
    low[0], high[0] = 1 - low[1], 1 - high[1]
    save_confident_maps(tmp_path / 'set/a.npz', ConfidentMaps(low, high, np.array([0, 3]), 7))
    return tmp_path


def test_maps_become_labels_of_cells(maps):
    results = LoadConfidentMaps(str(maps))(picture())
    assert results['gt_seg_map'].shape == (16, 24, 4)
    results = PoolConfidentMaps(8)(results)
    assert results['gt_seg_map'].tolist() == [[0, 255, 3]] * 2
    sample = PackTaggedInputs()(results)['data_samples']
    assert sample.gt_sem_seg.data.tolist() == [[[0, 255, 3]] * 2]
    assert sample.gt_sem_seg.data.dtype == torch.long


def test_maps_are_flipped_and_cropped_with_their_picture(maps):
    results = LoadConfidentMaps(str(maps))(picture())
    results['img'][:, 16:] = 200
    steps = [RandomFlip(prob=1.0), RandomCropPad(32, pad_value=(9, 9, 9), seg_pad_value=0)]
    results = Compose(steps)(results)
    place = np.argwhere(results['img'][..., 0] == 200)
    assert len(place) == 16 * 8
    (top, left), (bottom, right) = place.min(0), place.max(0)
    assert (results['gt_seg_map'][top : bottom + 1, left : right + 1, 1] == 1).all()
    assert results['gt_seg_map'][..., 1].sum() == 16 * 8
    labels = PoolConfidentMaps(8)(dict(results))['gt_seg_map']
    assert labels.shape == (4, 4)
    # Cells that lie outside of the picture altogether carry no label.
    outside = (results['img'][..., 0] == 9).reshape(4, 8, 4, 8).all((1, 3))
    assert (labels[outside] == 255).all()
    assert outside.any()


def test_maps_that_do_not_fit_are_refused(maps):
    results = LoadConfidentMaps(str(maps))(picture())
    with pytest.raises(ValueError, match='does not divide'):
        PoolConfidentMaps(5)(results)
    with pytest.raises(ValueError, match='expected LoadConfidentMaps before'):
        PoolConfidentMaps(8)(picture())
    with pytest.raises(ValueError, match='at least 1'):
        PoolConfidentMaps(0)
    with pytest.raises(ValueError, match='found 24x16 pixels, expected 24x17'):
        LoadConfidentMaps(str(maps))(picture(17))
    with pytest.raises(ValueError, match='found 7, expected 4'):
        LoadConfidentMaps(str(maps))({**picture(), 'num_classes': 4})
    with pytest.raises(FileNotFoundError):
        LoadConfidentMaps(str(maps))(picture(name='set/b'))


def test_label_maps_are_read_from_their_own_folder_and_shrunk(tmp_path):
    labels = np.zeros((16, 24), np.uint8)
    labels[:, 10:] = 255
    labels[:, 12:] = 4
    labels[2::4, 2::4] = 1  # the middles of the cells
    save_mask(tmp_path / 'labels/set/a.png', labels, [(k, k, k) for k in range(7)])
    given = {**picture(), 'seg_map_path': 'the/true/mask.png'}
    results = LoadConfidentLabels(str(tmp_path / 'labels'))(given)
    assert np.array_equal(results['gt_seg_map'], labels)
    assert (ShrinkMask(4)(results)['gt_seg_map'] == np.ones((4, 6))).all()
    with pytest.raises(ValueError, match='does not divide'):
        ShrinkMask(5)({'gt_seg_map': labels})
    with pytest.raises(ValueError, match='at least 1'):
        ShrinkMask(0)


def test_a_folder_that_nobody_has_named_is_missed():
    for load in (LoadConfidentMaps(), LoadConfidentLabels()):
        with pytest.raises(ValueError, match='ConfidentLabelHook'):
            load(picture())
