"""COCO's annotations: classes, tags, and masks from polygons and run-length codes."""

import builtins
import json

import numpy as np
import pytest

from mmppc.datasets.coco import COCO_CATEGORIES, COCO_CLASSES, CocoPicture, read_instances
from mmppc.datasets.coco_masks import object_mask, semantic_mask, write_mask
from mmppc.storage.masks import load_mask, mask_meta


def rectangle(x, y, width, height):
    """A polygon around the pixels of a rectangle."""
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def run_lengths(mask):
    """Uncompressed run-length code of a mask, written out: columns first, starting with zeros."""
    counts, value = [0], 0
    for pixel in np.asarray(mask).T.flatten():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {'size': list(np.asarray(mask).shape), 'counts': counts}


def content(**changes):
    images = [
        {'id': 7, 'file_name': 'b.jpg', 'height': 8, 'width': 10},
        {'id': 3, 'file_name': 'a.jpg', 'height': 6, 'width': 6},
    ]
    annotations = [
        {'image_id': 7, 'category_id': 90, 'segmentation': rectangle(1, 1, 6, 6), 'iscrowd': 0},
        {'image_id': 7, 'category_id': 3, 'segmentation': rectangle(2, 2, 2, 2)},
    ]
    categories = [{'id': 90, 'name': 'toothbrush'}, {'id': 3, 'name': 'car'}]
    return {'images': images, 'annotations': annotations, 'categories': categories, **changes}


def write(path, data):
    path.write_text(json.dumps(data), encoding='utf-8')
    return path


def test_classes_in_the_order_of_the_ids():
    assert len(COCO_CLASSES) == 81
    assert list(COCO_CATEGORIES) == sorted(COCO_CATEGORIES)
    assert max(COCO_CATEGORIES) == 90
    assert [COCO_CLASSES[k] for k in (0, 1, 12, 80)] == [
        'background',
        'person',
        'stop sign',
        'toothbrush',
    ]


def test_ids_become_contiguous_and_pictures_without_objects_stay(tmp_path):
    classes, pictures = read_instances(write(tmp_path / 'x.json', content()))
    assert classes == ('background', 'car', 'toothbrush')
    assert [(p.sample_id, p.size, p.labels) for p in pictures] == [
        ('a', (6, 6), []),
        ('b', (8, 10), [1, 2]),
    ]


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'images': []}, "field 'images' is empty"),
        ({'categories': None}, "field 'categories': expected a list"),
        ({'annotations': [{'image_id': 8}]}, r"annotations\[0\]: field 'image_id': 8 is not among"),
        (
            {'annotations': [{'image_id': 7, 'category_id': 12}]},
            "field 'category_id': 12 is not among the ids of categories",
        ),
        (
            {'annotations': [{'image_id': 7, 'category_id': 3}]},
            "field 'segmentation': expected polygons",
        ),
        ({'categories': [{'id': 1, 'name': 'a'}] * 2}, r'categories\[1\]: id 1 occurs twice'),
        (
            {'images': [{'id': 7, 'file_name': '../b.jpg', 'height': 1, 'width': 1}]},
            'expected a path below the picture folder',
        ),
        (
            {'images': [{'id': 7, 'file_name': 'b.jpg', 'height': 'x', 'width': 1}]},
            "field 'height': expected int, found 'x'",
        ),
    ],
)
def test_wrong_files_are_refused(tmp_path, changes, message):
    data = content(**{'annotations': [], **changes})
    with pytest.raises(ValueError, match=message):
        read_instances(write(tmp_path / 'x.json', data))


def test_pictures_that_would_share_a_mask_are_refused(tmp_path):
    size = {'height': 4, 'width': 4}
    images = [
        {'id': k, 'file_name': f'a{end}', **size} for k, end in enumerate(('.jpg', 'b.jpg', '.png'))
    ]
    with pytest.raises(ValueError, match=r"'a\.jpg' and 'a\.png' have the same name"):
        read_instances(write(tmp_path / 'x.json', content(images=images, annotations=[])))


def test_no_json_is_refused(tmp_path):
    (tmp_path / 'x.json').write_text('{')
    with pytest.raises(ValueError, match=r'x\.json: line 1.*not JSON'):
        read_instances(tmp_path / 'x.json')


def test_polygons_and_both_codes_are_the_same_pixels():
    coder = pytest.importorskip('pycocotools.mask')
    expected = np.zeros((8, 10), bool)
    expected[1:7, 2:6] = True
    compressed = coder.encode(np.asfortranarray(expected.astype(np.uint8)))
    compressed['counts'] = compressed['counts'].decode()
    for segmentation in (rectangle(2, 1, 4, 6), run_lengths(expected), compressed):
        np.testing.assert_array_equal(object_mask(segmentation, (8, 10)), expected)


def test_parts_of_one_object_are_joined():
    pytest.importorskip('pycocotools')
    parts = rectangle(0, 0, 2, 2) + rectangle(4, 4, 2, 2)
    assert object_mask(parts, (6, 6)).sum() == 8
    assert object_mask([], (6, 6)).sum() == 0


@pytest.mark.parametrize(
    ('segmentation', 'message'),
    [
        ([[1, 1, 2, 2]], 'at least three points'),
        ([[1, 1, 2, 2, 3, 3, 4]], 'at least three points'),
        ({'size': [6, 5], 'counts': [30]}, r'size \[6, 5\], expected \[6, 6\]'),
        ({'size': [6, 6], 'counts': [30]}, 'add up to 30'),
        ({'size': [6, 6], 'counts': [40, -4]}, 'expected 6'),
        ({'size': [6, 6]}, 'expected a list or a string'),
    ],
)
def test_wrong_segmentations_are_refused_with_the_object(segmentation, message):
    pytest.importorskip('pycocotools')
    item = {'label': 1, 'segmentation': segmentation, 'iscrowd': False}
    with pytest.raises(ValueError, match=rf'a\.jpg: object 0: .*{message}'):
        semantic_mask(CocoPicture('a.jpg', (6, 6), (item,)))


def test_small_objects_lie_over_large_ones_and_all_over_crowds():
    pytest.importorskip('pycocotools')
    crowd = np.zeros((8, 10), np.uint8)
    crowd[:, 5:] = 1
    objects = (
        {'label': 2, 'segmentation': rectangle(3, 3, 2, 2), 'iscrowd': False},
        {'label': 1, 'segmentation': rectangle(1, 1, 6, 6), 'iscrowd': False},
        {'label': 2, 'segmentation': run_lengths(crowd), 'iscrowd': True},
    )
    expected = np.zeros((8, 10), np.uint8)
    expected[:, 5:] = 255
    expected[1:7, 1:7] = 1
    expected[3:5, 3:5] = 2
    picture = CocoPicture('a.jpg', (8, 10), objects)
    np.testing.assert_array_equal(semantic_mask(picture), expected)
    assert picture.labels == [1, 2]


def test_of_equal_areas_the_later_lies_above():
    pytest.importorskip('pycocotools')
    objects = tuple(
        {'label': label, 'segmentation': rectangle(x, 0, 4, 4), 'iscrowd': False}
        for label, x in ((2, 0), (1, 2))
    )
    mask = semantic_mask(CocoPicture('a.jpg', (4, 6), objects))
    assert mask[0].tolist() == [2, 2, 1, 1, 1, 1]


def test_a_mask_is_made_again_only_if_its_objects_changed(tmp_path):
    pytest.importorskip('pycocotools')
    path, classes = tmp_path / 'sub/a.png', ('background', 'car', 'bus')
    item = {'label': 1, 'segmentation': rectangle(0, 0, 2, 2), 'iscrowd': False}
    picture = CocoPicture('sub/a.jpg', (4, 4), (item,))
    assert write_mask(picture, path, classes)
    first = path.stat().st_mtime_ns
    assert not write_mask(picture, path, classes)
    assert path.stat().st_mtime_ns == first
    assert 'descending area' in mask_meta(path)['rule']
    changed = CocoPicture('sub/a.jpg', (4, 4), ({**item, 'label': 2},))
    assert write_mask(changed, path, classes)
    assert load_mask(path, 3).max() == 2
    path.write_bytes(path.read_bytes()[:40])
    assert write_mask(changed, path, classes)
    assert load_mask(path, 3).max() == 2


def test_without_pycocotools_the_command_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith('pycocotools'):
            raise ImportError('no pycocotools')
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without)
    with pytest.raises(ImportError, match=r'pip install "mmppc\[coco\]"'):
        object_mask(rectangle(0, 0, 1, 1), (4, 4))
