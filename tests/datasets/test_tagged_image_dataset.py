import logging
import os
import unicodedata

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from mmppc.datasets import TaggedImageDataset, load_tags, voc_palette

from .conftest import CLASSES, TAGS, write_mask, write_picture

MASKS = {'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'}


def test_samples(make_dataset, root):
    dataset = make_dataset()
    assert [sample['sample_id'] for sample in dataset] == list(TAGS)
    for sample in dataset:
        tags = sample['tags']
        assert (tuple(tags), tags.dtype, tags.shape) == (
            TAGS[sample['sample_id']],
            np.float32,
            (3,),
        )
        assert os.path.isfile(sample['img_path'])
        assert 'seg_map_path' not in sample
        assert (sample['label_map'], sample['reduce_zero_label']) == (None, False)
        assert (sample['seg_fields'], sample['num_classes']) == ([], 4)
    assert tuple(dataset.metainfo['classes']) == CLASSES
    assert dataset.metainfo['palette'] == voc_palette(4)


def test_split_lists_pictures_with_or_without_suffix_in_its_order(make_dataset, root):
    lines = ['\ufeffv1.2', './set a\\two.PNG', unicodedata.normalize('NFD', 'Käse und Brot')]
    (root / 'val.txt').write_bytes('\r\n'.join([*lines, '', '']).encode())
    ids = [sample['sample_id'] for sample in make_dataset(ann_file='val.txt')]
    assert ids == ['v1.2', 'set a/two', 'Käse und Brot']


def test_decomposed_file_names_meet_composed_tags(make_dataset, root):
    name = unicodedata.normalize('NFD', 'Bär.jpg')
    write_picture(root / 'bears' / name)
    (root / 'tags.json').write_text('{"Bär": ["dog"]}', encoding='utf-8')
    dataset = make_dataset(data_prefix={'img_path': 'bears'}, tag_file='tags.json')
    assert (dataset[0]['sample_id'], dataset[0]['tags'].tolist()) == ('Bär', [0, 1, 0])


def test_without_tags_and_classes_in_metainfo(make_dataset):
    palette = [[k, k, k] for k in range(4)]
    metainfo = {'classes': CLASSES, 'palette': palette}
    dataset = make_dataset(tag_file=None, classes_file=None, metainfo=metainfo)
    assert 'tags' not in dataset[0]
    assert dataset.metainfo['palette'] == palette


def test_absolute_paths_need_no_root(root):
    dataset = TaggedImageDataset(
        data_prefix={'img_path': str(root / 'JPEGImages')},
        tag_file=str(root / 'tags.csv'),
        classes_file=str(root / 'classes.txt'),
    )
    assert len(dataset) == 3


def test_masks_are_optional(make_dataset, root, caplog):
    MMLogger.get_current_instance().addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING):
        dataset = make_dataset(data_prefix=MASKS)
    assert ['seg_map_path' in sample for sample in dataset] == [True, True, False]
    assert "pictures without a mask: 1 (first: 'v1.2') of 3" in caplog.text
    with pytest.raises(FileNotFoundError, match=r"SegmentationClass.*without a mask: 1 .*'v1\.2'"):
        make_dataset(data_prefix=MASKS, require_masks=True)
    nowhere = {**MASKS, 'seg_map_path': 'nowhere'}
    assert all('seg_map_path' not in sample for sample in make_dataset(data_prefix=nowhere))
    with pytest.raises(FileNotFoundError, match=r'nowhere: no such folder'):
        make_dataset(data_prefix=nowhere, require_masks=True)
    with pytest.raises(ValueError, match=r"require_masks=True needs data_prefix\['seg_map_path'\]"):
        make_dataset(require_masks=True)
    write_mask(root / 'SegmentationClass/v1.2.png', np.zeros((16, 20)))
    assert all('seg_map_path' in s for s in make_dataset(data_prefix=MASKS, require_masks=True))


def test_missing_picture_in_the_split(make_dataset, root):
    (root / 'train.txt').write_text('v1.2\nnot there.jpg\n../classes\n', encoding='utf-8')
    message = (
        r"train\.txt: pictures that are not in .*JPEGImages: 2 \(first: 'not there\.jpg'.* of 3"
    )
    with pytest.raises(FileNotFoundError, match=message):
        make_dataset(ann_file='train.txt')


def test_empty_split_and_empty_folder(make_dataset, root):
    (root / 'train.txt').write_text('\n \n', encoding='utf-8')
    with pytest.raises(ValueError, match=r'train\.txt: the split is empty'):
        make_dataset(ann_file='train.txt')
    (root / 'empty').mkdir()
    with pytest.raises(ValueError, match=r'empty: no picture in this folder'):
        make_dataset(data_prefix={'img_path': 'empty'})
    with pytest.raises(FileNotFoundError, match=r'nowhere: no such folder'):
        make_dataset(data_prefix={'img_path': 'nowhere'})
    with pytest.raises(FileNotFoundError, match=r'nowhere\.txt: no such file'):
        make_dataset(ann_file='nowhere.txt')


def test_pictures_without_tags(make_dataset, root):
    (root / 'tags.csv').write_text('image,tags\nv1.2,dog\n', encoding='utf-8')
    message = r"tags\.csv: pictures without tags: 2 \(first: 'Käse und Brot', 'set a/two'\) of 3"
    with pytest.raises(ValueError, match=message):
        make_dataset()


def test_two_pictures_with_one_id(make_dataset, root):
    write_picture(root / 'JPEGImages/v1.2.png')
    with pytest.raises(ValueError, match=r"two pictures with the sample id 'v1\.2'"):
        make_dataset()
    split = root / 'train.txt'
    split.write_text('v1.2', encoding='utf-8')
    with pytest.raises(ValueError, match=r"train\.txt: 'v1\.2' may be any of"):
        make_dataset(ann_file='train.txt')
    split.write_text('v1.2.png', encoding='utf-8')
    assert make_dataset(ann_file='train.txt')[0]['img_path'].endswith('v1.2.png')
    split.write_text('v1.2.png\nv1.2.png', encoding='utf-8')
    with pytest.raises(ValueError, match=r"two pictures with the sample id 'v1\.2'"):
        make_dataset(ann_file='train.txt')


def test_classes_are_given_once(make_dataset):
    with pytest.raises(ValueError, match='no classes: give metainfo='):
        make_dataset(classes_file=None)
    assert make_dataset(metainfo={'classes': CLASSES})
    with pytest.raises(ValueError, match=r"classes are given twice and differ.*'ox'.*classes\.txt"):
        make_dataset(metainfo={'classes': (*CLASSES[:3], 'ox')})
    with pytest.raises(ValueError, match=r"classes='classes\.txt' is a string"):
        make_dataset(classes_file=None, metainfo={'classes': 'classes.txt'})
    with pytest.raises(ValueError, match='reduce_zero_label=True'):
        make_dataset(reduce_zero_label=True)


def test_unknown_tags(make_dataset, root):
    (root / 'three.txt').write_text('background\ncat\ndog\n', encoding='utf-8')
    with pytest.raises(ValueError, match=r"tags\.csv: line 2: unknown tag 'cow'"):
        make_dataset(classes_file='three.txt')
    dataset = make_dataset(classes_file='three.txt', ignore_unknown_tags=True)
    assert dataset[0]['tags'].tolist() == [1, 0]


@pytest.mark.parametrize('test_mode', [False, True])
def test_a_broken_picture_is_an_error_and_not_replaced(make_dataset, root, test_mode):
    path = root / 'JPEGImages/v1.2.jpeg'
    path.write_bytes(path.read_bytes()[:400])
    dataset = make_dataset(pipeline=[{'type': 'LoadPicture'}], test_mode=test_mode)
    assert dataset[0]['img'].shape == (16, 20, 3)
    with pytest.raises(ValueError, match=r'v1\.2\.jpeg: .*truncated'):
        dataset[2]
    with pytest.raises(ValueError, match=r'Käse und Brot\.jpg: a transform .* returned None'):
        make_dataset(pipeline=[lambda results: None])[0]


def test_batches_through_workers(make_dataset):
    pipeline = [
        {'type': 'LoadPicture'},
        {'type': 'LoadIndexMask'},
        {'type': 'RandomResizeLong', 'low': 10, 'high': 14},
        {'type': 'RandomFlip', 'prob': 1.0},
        {'type': 'PILColorJitter'},
        {'type': 'RandomCropPad', 'crop_size': 12},
        {'type': 'PackTaggedInputs'},
    ]
    dataset = make_dataset(data_prefix=MASKS, pipeline=pipeline)
    batch = next(iter(DataLoader(dataset, 3, num_workers=1, collate_fn=pseudo_collate)))
    assert [(x.shape, x.dtype) for x in batch['inputs']] == [((3, 12, 12), torch.float32)] * 3
    for sample, (key, tags) in zip(batch['data_samples'], TAGS.items()):
        assert sample.sample_id == key
        assert sample.gt_tags.label.tolist() == list(tags)
        assert sample.flip is True
    assert ['gt_sem_seg' in sample for sample in batch['data_samples']] == [True, True, False]
    assert set(batch['data_samples'][0].gt_sem_seg.data.unique().tolist()) <= {3, 255}


def test_indices_select_a_part(make_dataset, root):
    assert len(make_dataset(indices=2)) == 2
    assert set(load_tags(root / 'tags.csv', CLASSES[1:])) == set(TAGS)
