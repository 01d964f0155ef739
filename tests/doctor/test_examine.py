"""A healthy folder is healthy, and an error is what a training refuses, no more and no less."""

import io
import shutil

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmppc.datasets import TaggedImageDataset
from mmppc.doctor import config_layout, examine

from .conftest import CLASSES, HEIGHT, WIDTH

TRAIN = 'ImageSets/Segmentation/train.txt'
VAL = 'ImageSets/Segmentation/val.txt'


def test_a_healthy_folder_has_no_finding_above_ok(folder):
    found = folder.examine()
    assert {one.status for one in found} == {'ok'}
    said = {one.check: one.found for one in found}
    assert said['classes'] == '4 with the background: background, cat, dog, cow'
    assert said['list of train'] == '36 pictures'
    assert said['list of val'] == '9 pictures'
    assert said['pictures: readable'] == 'all 45 decoded to the end'
    assert said['pictures: sizes'] == f'all {WIDTH}x{HEIGHT}'
    assert said['tags: classes of train'] == 'pictures a class: cat 12, cow 12, dog 12'
    assert said['masks: values'] == 'all 45 hold classes 0 .. 3'
    assert said['masks: void'] == f'{40 / (WIDTH * HEIGHT):.1%} of the pixels on average'
    assert said['data of train as a training reads it'] == '36 pictures'


def test_a_healthy_folder_without_lists_classes_and_masks(folder):
    shutil.rmtree(folder.root / 'ImageSets')
    shutil.rmtree(folder.root / 'SegmentationClass')
    (folder.root / 'classes.txt').unlink()
    for path in (folder.root / 'JPEGImages').iterdir():
        path.rename(folder.root / path.name)
    (folder.root / 'JPEGImages').rmdir()
    found = folder.examine()
    assert {one.check: one.status for one in found if one.status != 'ok'} == {'masks': 'skipped'}
    said = {one.check: one.found for one in found}
    assert said['classes'].endswith(
        'made of the tags, as mmppc run does: background, cat, cow, dog'
    )
    assert said['pictures'].startswith('45 in ')
    assert said['tags: classes'] == 'pictures a class: cat 15, cow 15, dog 15'
    assert said['data as a training reads it'] == '45 pictures'


def test_worker_processes_find_the_same(folder):
    folder.picture('t00.jpg').write_bytes(b'')
    layout_of = folder.examine()
    from mmppc.doctor import folder_layout

    with_workers = examine(folder_layout(folder.root), folder.root / 'work', workers=1)
    assert [one for one in with_workers if not one.check.startswith('disk')] == [
        one for one in layout_of if not one.check.startswith('disk')
    ]


def append(path, text):
    path.write_text(path.read_text(encoding='utf-8') + text, encoding='utf-8')


def truncate(folder):
    path = folder.picture('t01.jpg')
    path.write_bytes(path.read_bytes()[:-900])


def no_row(folder):
    del folder.tags['t03']
    folder.write_texts()


def unknown_tag(folder):
    folder.tags['t03'] = ['kat']
    folder.write_texts()


def twice_in_a_list(folder):
    folder.lists['train'].append('t00')
    folder.write_texts()


def turned_mask(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    folder.write_picture('v00.jpg', exif=exif)


def small_picture(folder):
    folder.write_picture('t00.jpg', size=(70, 60))
    folder.write_mask('t00.png', folder.mask(1)[:60, :70])


def colour_mask(folder):
    Image.new('RGB', (WIDTH, HEIGHT)).save(folder.mask_file('v01.png'))


DEFECTS = {
    # name: (what is done, refused by a training, expected finding)
    'nothing': (lambda f: None, False, None),
    'empty picture': (lambda f: f.picture('t00.jpg').write_bytes(b''), True, 'pictures: readable'),
    'truncated picture': (truncate, True, 'pictures: readable'),
    'no picture': (lambda f: f.picture('t00.jpg').write_text('hello'), True, 'pictures: readable'),
    'listed, missing': (lambda f: append(f.root / TRAIN, 'nobody\n'), True, 'list of train'),
    'empty list': (lambda f: (f.root / VAL).write_text('\n'), True, 'list of val'),
    'list not UTF-8': (lambda f: (f.root / VAL).write_bytes(b'K\xe4se\n'), True, 'list of val'),
    'twice in a list': (twice_in_a_list, True, 'list of train'),
    'ambiguous line': (lambda f: f.write_picture('t00.png', seed=99), True, 'list of train'),
    'no row': (no_row, True, 'tags: missing rows'),
    'unknown tag': (unknown_tag, True, 'tags: spelling'),
    'two rows': (lambda f: append(f.root / 'tags.csv', 't00,cat\n'), True, 'tags: file'),
    'no header': (lambda f: (f.root / 'tags.csv').write_text('t00,cat\n'), True, 'tags: file'),
    'mask turned': (turned_mask, True, 'pictures: orientation'),
    'mask of other size': (
        lambda f: f.write_mask('v02.png', np.zeros((10, 12))), True, 'masks: sizes',
    ),
    'colour mask': (colour_mask, True, 'masks: files'),
    'broken mask': (lambda f: f.mask_file('v03.png').write_bytes(b'x'), True, 'masks: files'),
    'empty mask': (lambda f: f.mask_file('v03.png').write_bytes(b''), True, 'masks: files'),
    'value beyond': (lambda f: f.write_mask('v03.png', f.mask(3, 9)), True, 'masks: values'),
    'classes twice': (
        lambda f: (f.root / 'classes.txt').write_text('background\ncat\ncat\ndog\ncow\n'), True, 'classes',
    ),
    'missing mask': (lambda f: f.mask_file('v00.png').unlink(), False, 'masks of val'),
    'empty row': (lambda f: (f.tags.update(t00=[]), f.write_texts()), False, 'tags: empty rows of train'),
    'idle row': (lambda f: append(f.root / 'tags.csv', 'nobody,cat\n'), False, 'tags: rows without a picture'),
    'in both lists': (lambda f: append(f.root / VAL, 't00\n'), False, 'lists: overlap'),
    'same pixels': (
        lambda f: shutil.copy(f.picture('t00.jpg'), f.picture('t03.jpg')), False, 'pictures: duplicates',
    ),
    'grey picture': (lambda f: f.write_picture('t00.jpg', mode='L'), False, 'pictures: colours'),
    'small picture': (small_picture, False, 'pictures: sizes'),
    'untagged class': (
        lambda f: f.write_mask('t00.png', f.mask(1, 2)), False, 'masks: classes without a tag',
    ),
    'tag without class': (
        lambda f: f.write_mask('t00.png', f.mask()), False, 'masks: tags without a class',
    ),
}  # fmt: skip


def is_refused(root) -> bool:
    """Whether a training or a test stops at the data: datasets are built, and every sample is loaded."""
    init_default_scope('mmseg')
    try:
        for split in (TRAIN, VAL):
            dataset = TaggedImageDataset(
                data_root=str(root),
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
                ann_file=split,
                tag_file='tags.csv',
                classes_file='classes.txt',
                pipeline=[dict(type='LoadPicture'), dict(type='LoadIndexMask')],
            )
            for index in range(len(dataset)):
                dataset[index]
    except (ValueError, OSError):
        return True
    return False


@pytest.mark.parametrize('name', DEFECTS)
def test_an_error_is_what_a_training_refuses(folder, name):
    defect, refused, check = DEFECTS[name]
    defect(folder)
    assert is_refused(folder.root) == refused
    found = folder.examine()
    errors = [one for one in found if one.status == 'error']
    assert bool(errors) == refused
    if check is not None:
        wanted = 'error' if refused else 'warning'
        assert (check, wanted) in {(one.check, one.status) for one in found}
        one = next(one for one in found if (one.check, one.status) == (check, wanted))
        assert one.found
        assert one.remedy


def test_the_training_itself_has_the_last_word(folder):
    """A column of the CSV that nothing marks is refused, though no picture has the tag."""
    rows = ['image,cat,dog,cow,kiwi']
    for name, tags in folder.tags.items():
        rows.append(
            ','.join([name, *('1' if label in tags else '0' for label in (*CLASSES[1:], 'kiwi'))])
        )
    (folder.root / 'tags.csv').write_text('\n'.join(rows) + '\n')
    found = {(one.check, one.status): one for one in folder.examine()}
    assert "column 'kiwi'" in found['data of train as a training reads it', 'error'].found


def test_a_missing_data_root_of_a_config_is_one_error(tmp_path):
    cfg = dict(
        data_root=str(tmp_path / 'nowhere'),
        train_dataloader=dict(
            dataset=dict(
                type='TaggedImageDataset',
                data_root=str(tmp_path / 'nowhere'),
                data_prefix=dict(img_path='images'),
                metainfo=dict(classes=CLASSES),
            )
        ),
        load_from=str(tmp_path / 'weights.pth'),
    )
    found = examine(config_layout(cfg, 'c.py'), tmp_path, workers=0)
    assert [(one.check, one.status) for one in found] == [
        ('config: data_root', 'error'),
        ('config: load_from', 'error'),
    ]


def test_progress_is_silent_where_there_is_no_terminal(folder, capsys):
    from mmppc.doctor import folder_layout

    examine(folder_layout(folder.root), folder.root, workers=0, progress=True)
    out = capsys.readouterr()
    assert (out.out, out.err.strip()) == ('', '')


def test_names_that_are_not_utf8_can_be_printed(folder):
    folder.lists, folder.tags = {'train': ['t00'], 'val': ['v00']}, {'t00': ['cat'], 'v00': ['cat']}
    folder.write_texts()
    folder.remove_lists()
    try:
        folder.picture('t01.jpg').rename(folder.picture('K\udce4se.jpg'))
    except (OSError, UnicodeEncodeError):
        pytest.skip('this file system has no such names')
    found = {one.check: one for one in folder.examine() if one.status == 'error'}
    one = found['pictures: names']
    assert one.as_json()['examples'] == ['K\\xe4se.jpg']
    io.StringIO().write(one.as_json()['found'])
