"""A miniature SBD beside a miniature VOC, written here, through the converter and the dataset."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from mmppc.datasets import VOC_CLASSES, TaggedImageDataset
from mmppc.datasets.sbd import read_sbd_mask, train_aug_names, write_aug_mask
from mmppc.storage.masks import VOID, load_mask, mask_meta

TOOL = 'dataset_converters/sbd_to_voc_aug.py'
SIZE = (30, 40)  # height, width
VOC_TRAIN, VOC_VAL = ['2007_01', '2007_02'], ['2007_03', '2007_04']
SBD_TRAIN, SBD_VAL = ['2007_02', '2007_03', '2008_05'], ['2007_04', '2008_06']


def classes_of(name):
    """A mask with the class 15 and one that depends on the picture."""
    mask = np.zeros(SIZE, np.uint8)
    mask[4:12, 4:20] = 15
    mask[14:28, 10:30] = int(name[-1])
    return mask


def write_mat(folder, name):
    """As SBD stores them: structures with the boundaries of each class or object beside the pixels."""
    classes = classes_of(name)
    boundaries = np.empty((20, 1), object)
    for row in range(20):
        boundaries[row, 0] = np.zeros((1, 1), np.uint8)
    present = np.array([[int(name[-1])], [15]], np.uint8)
    record = {'Boundaries': boundaries, 'Segmentation': classes, 'CategoriesPresent': present}
    savemat(folder / 'cls' / f'{name}.mat', {'GTcls': record}, do_compression=True)
    objects = np.zeros(SIZE, np.uint8)
    objects[classes == 15] = 1
    objects[classes == int(name[-1])] = 2
    record = {'Boundaries': boundaries[:2], 'Segmentation': objects, 'Categories': present[::-1]}
    savemat(folder / 'inst' / f'{name}.mat', {'GTinst': record}, do_compression=True)


@pytest.fixture
def folders(tmp_path):
    sbd, voc = tmp_path / 'benchmark_RELEASE', tmp_path / 'VOC2012'
    dataset = sbd / 'dataset'
    for folder in ('cls', 'inst'):
        (dataset / folder).mkdir(parents=True)
    for folder in ('JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'):
        (voc / folder).mkdir(parents=True)
    for name in {*SBD_TRAIN, *SBD_VAL}:
        write_mat(dataset, name)
    for name in {*VOC_TRAIN, *VOC_VAL, *SBD_TRAIN, *SBD_VAL}:
        Image.new('RGB', SIZE[::-1]).save(voc / 'JPEGImages' / f'{name}.jpg')
    for name in (*VOC_TRAIN, *VOC_VAL):
        mask = np.full(SIZE, VOID, np.uint8)
        mask[:5, :5] = 3
        Image.fromarray(mask).save(voc / 'SegmentationClass' / f'{name}.png')
    for path, names in {
        dataset / 'train.txt': SBD_TRAIN,
        dataset / 'val.txt': SBD_VAL,
        voc / 'ImageSets/Segmentation/train.txt': VOC_TRAIN,
        voc / 'ImageSets/Segmentation/val.txt': VOC_VAL,
    }.items():
        path.write_text('\n'.join(names) + '\n')
    return sbd, voc


def test_the_miniature_is_a_nested_structure(folders):
    content = loadmat(folders[0] / 'dataset/cls/2008_05.mat')
    assert content['GTcls'].dtype.names == ('Boundaries', 'Segmentation', 'CategoriesPresent')
    assert content['GTcls'].shape == (1, 1)
    assert content['GTcls']['Segmentation'][0, 0].shape == SIZE


def test_list_and_masks(folders, run_here):
    sbd, voc = folders
    done = run_here(TOOL, sbd, voc, '--workers', 0)
    assert done.returncode == 0, done.stderr
    names = (voc / 'ImageSets/Segmentation/train_aug.txt').read_text().split()
    assert names == ['2007_01', '2007_02', '2008_05', '2008_06']  # nothing of VOC's val
    assert sorted(path.stem for path in (voc / 'SegmentationClassAug').iterdir()) == names
    assert 'VOC train 2, VOC val 2, SBD train 3, SBD val 2' in done.stdout
    assert 'train_aug has 4 pictures, expected 10582' in done.stderr
    assert '4 masks, 4 made now, 0 made before' in done.stdout
    # Of a picture in both, VOC's own mask with its void; of the others SBD's.
    official = load_mask(voc / 'SegmentationClassAug/2007_02.png')
    assert official[0, 0] == 3
    assert official[20, 20] == VOID
    with Image.open(voc / 'SegmentationClassAug/2008_06.png') as picture:
        assert picture.mode == 'P'
        assert picture.getpalette()[:6] == [0, 0, 0, 128, 0, 0]
        assert np.array_equal(np.asarray(picture), classes_of('2008_06'))
    dataset = TaggedImageDataset(
        data_root=str(voc),
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
        ann_file='ImageSets/Segmentation/train_aug.txt',
        metainfo=dict(classes=VOC_CLASSES),
        require_masks=True,
    )
    assert [item['sample_id'] for item in dataset.load_data_list()] == names


def test_started_again_it_makes_what_is_missing_or_damaged(folders, run_here):
    sbd, voc = folders
    assert run_here(TOOL, sbd, voc, '--workers', 0).returncode == 0
    masks = voc / 'SegmentationClassAug'
    kept = (masks / '2008_05.png').stat().st_mtime_ns
    (masks / '2007_01.png').unlink()
    whole = (masks / '2008_06.png').read_bytes()
    (masks / '2008_06.png').write_bytes(whole[:60])
    done = run_here(TOOL, sbd, voc, '--workers', 0)
    assert '4 masks, 2 made now, 2 made before' in done.stdout
    assert (masks / '2008_06.png').read_bytes() == whole
    assert (masks / '2008_05.png').stat().st_mtime_ns == kept


def test_foreign_masks_are_kept_and_told_of(folders, run_here):
    sbd, voc = folders
    foreign = voc / 'SegmentationClassAug/2008_05.png'
    foreign.parent.mkdir()
    Image.new('L', SIZE[::-1], 7).save(foreign)
    done = run_here(TOOL, sbd, voc, '--workers', 0)
    assert '1 of them were there already and are not by this tool' in done.stderr
    assert (load_mask(foreign) == 7).all()
    assert run_here(TOOL, sbd, voc, '--workers', 0, '--overwrite').returncode == 0
    assert np.array_equal(load_mask(foreign), classes_of('2008_05'))


def test_objects_give_the_same_classes(folders, run_here):
    sbd, voc = folders
    done = run_here(TOOL, sbd / 'dataset', voc, '--workers', 0, '--annotations', 'inst')
    assert done.returncode == 0, done.stderr
    mask = voc / 'SegmentationClassAug/2008_05.png'
    assert np.array_equal(load_mask(mask), classes_of('2008_05'))
    assert mask_meta(mask) == {'made_from': 'SBD inst'}


def test_only_the_list(folders, run_here):
    sbd, voc = folders
    assert run_here(TOOL, sbd, voc, '--no-masks').returncode == 0
    assert (voc / 'ImageSets/Segmentation/train_aug.txt').read_text().split()[-1] == '2008_06'
    assert not (voc / 'SegmentationClassAug').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'not a MATLAB file that can be read'),
        (b'no mat file at all' * 20, 'not a MATLAB file that can be read'),
        ('half', 'not a MATLAB file that can be read'),
        ({'GTinst': {'Segmentation': np.zeros(SIZE, np.uint8)}}, 'no structure GTcls'),
        ({'GTcls': {'Boundaries': np.zeros(3)}}, "GTcls has the fields ('Boundaries',)"),
        ({'GTcls': np.zeros(SIZE)}, 'GTcls has the fields None'),
        ({'GTcls': {'Segmentation': np.zeros(SIZE)}}, 'Segmentation is float64 of shape (30, 40)'),
        (
            {'GTcls': {'Segmentation': np.full(SIZE, 21, np.uint8)}},
            'has the classes 21 .. 21, expected 0 .. 20',
        ),
        (
            {'GTcls': {'Segmentation': np.zeros((9, 8), np.uint8)}},
            'mask of 8 x 9 pixels, expected the 40 x 30 of',
        ),
    ],
)
def test_a_broken_annotation_is_named(folders, run_here, content, message):
    sbd, voc = folders
    path = sbd / 'dataset/cls/2008_05.mat'
    if isinstance(content, dict):
        savemat(path, content)
    else:
        path.write_bytes(path.read_bytes()[:300] if content == 'half' else content)
    done = run_here(TOOL, sbd, voc, '--workers', 0)
    assert done.returncode == 2
    assert f'error: {path}: ' in done.stderr
    assert message in done.stderr
    assert not (voc / 'ImageSets/Segmentation/train_aug.txt').exists()


def test_objects_without_a_class_are_refused(folders):
    path = folders[0] / 'dataset/inst/2008_05.mat'
    record = {'Segmentation': np.full(SIZE, 2, np.uint8), 'Categories': np.array([[15]])}
    savemat(path, {'GTinst': record})
    with pytest.raises(ValueError, match=r'objects 0 \.\. 2, expected at most the 1 of'):
        read_sbd_mask(path, 'inst')


def test_missing_folders_and_files_are_named(folders, run_here):
    sbd, voc = folders
    assert 'expected dataset/train.txt and dataset/val.txt' in run_here(TOOL, voc, voc).stderr
    (voc / 'JPEGImages/2008_06.jpg').unlink()
    done = run_here(TOOL, sbd, voc)
    assert done.returncode == 2
    assert 'names 4 pictures, of which pictures are missing: 1 (first: ' in done.stderr
    (sbd / 'dataset/cls/2008_05.mat').unlink()
    assert 'of which masks are missing: 1 (first: ' in run_here(TOOL, sbd, voc).stderr


def test_a_kill_leaves_only_whole_masks(folders):
    """In processes of its own, killed outright at the first mask."""
    sbd, voc = folders
    for number in range(400):
        name = f'2009_{number:03d}5'
        Image.new('RGB', SIZE[::-1]).save(voc / 'JPEGImages' / f'{name}.jpg')
        write_mat(sbd / 'dataset', name)
        with open(sbd / 'dataset/train.txt', 'a') as file:
            file.write(f'{name}\n')
    tool = Path(__file__).parents[2] / 'tools' / TOOL
    command = [sys.executable, str(tool), str(sbd), str(voc), '--workers', '0']
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    masks = voc / 'SegmentationClassAug'
    while process.poll() is None and not (masks.is_dir() and any(masks.glob('*.png'))):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    made = list(masks.glob('*.png'))
    assert made
    assert all(load_mask(path).shape == SIZE for path in made)
    assert not (voc / 'ImageSets/Segmentation/train_aug.txt').exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert f'404 masks, {404 - len(made)} made now, {len(made)} made before' in done.stdout


def test_names():
    assert train_aug_names(['b', 'a'], ['c'], ['c', 'd'], ['a']) == ['a', 'b', 'd']
    assert train_aug_names([], ['a'], ['a']) == []


def test_unknown_annotation(folders, tmp_path):
    source = folders[0] / 'dataset/cls/2008_05.mat'
    picture = folders[1] / 'JPEGImages/2008_05.jpg'
    with pytest.raises(ValueError, match="annotation='seg': expected one of"):
        write_aug_mask(source, picture, tmp_path / 'a.png', annotation='seg')
    with pytest.raises(FileNotFoundError, match='no such annotation'):
        read_sbd_mask(tmp_path / 'none.mat')
