"""What is found about masks: by name, with the right severity, and with what to do."""

import shutil
from dataclasses import replace

import numpy as np
from PIL import Image

from mmppc.doctor import examine, folder_layout
from mmppc.doctor.facts import MaskFacts
from mmppc.doctor.mask_values import check_values, check_void

from .conftest import HEIGHT, WIDTH


def test_missing_masks_matter_where_they_are_required(folder, find):
    folder.mask_file('v00.png').unlink()
    found = find()['masks of val', 'warning']
    assert (found.found.split(' in ')[0], found.examples) == (
        '1 of 9 pictures without a mask',
        ('v00',),
    )
    layout = folder_layout(folder.root)
    required = replace(
        layout, parts=tuple(replace(part, require_masks=True) for part in layout.parts)
    )
    refused = {(one.check, one.status) for one in examine(required, folder.root, workers=0)}
    assert {('masks of val', 'error'), ('data of val as a training reads it', 'error')} <= refused
    assert ('masks of train', 'ok') in refused


def test_a_required_folder_that_is_not_there(folder):
    shutil.rmtree(folder.root / 'SegmentationClass')
    layout = folder_layout(folder.root)
    part = replace(layout.parts[0], masks=folder.root / 'work' / 'masks', require_masks=True)
    found = {
        one.check: one for one in examine(replace(layout, parts=(part,)), folder.root, workers=0)
    }
    assert found['masks of train'].status == 'error'
    assert 'tools/make_masks.py' in found['masks of train'].remedy


def test_masks_with_other_names_than_their_pictures(folder, find):
    for path in (folder.root / 'SegmentationClass').iterdir():
        path.rename(path.with_name(f'{path.stem}_mask.png'))
    found = find()['masks of train', 'warning']
    assert found.remedy == 'rename them: expected e.g. t00.png, found t00_mask.png'


def test_masks_of_another_format(folder, find):
    for path in (folder.root / 'SegmentationClass').iterdir():
        path.rename(path.with_suffix('.bmp'))
    found = find()['masks of val', 'warning']
    assert found.remedy == 'save them as .png: expected e.g. v00.png, found v00.bmp'


def test_masks_that_cannot_be_read_or_have_colours(folder):
    folder.mask_file('t00.png').write_bytes(b'')
    whole = folder.mask_file('t01.png').read_bytes()
    folder.mask_file('t01.png').write_bytes(whole[:-60])
    Image.new('RGB', (WIDTH, HEIGHT)).save(folder.mask_file('t02.png'))
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint16)).save(folder.mask_file('t03.png'))
    Image.fromarray(folder.mask(2)).save(folder.mask_file('t04.png'), format='JPEG')
    found = [one for one in folder.examine() if one.check == 'masks: files']
    broken, coloured, lossy = found
    assert (broken.status, coloured.status, lossy.status) == ('error', 'error', 'warning')
    assert [text.split(' (')[0] for text in broken.examples] == ['t00.png', 't01.png']
    assert coloured.examples == ('t02.png (mode RGB)', 't03.png (mode I;16)')
    assert lossy.examples == ('t04.png (JPEG)',)


def test_sizes_are_compared_with_the_pictures(folder, find):
    folder.write_mask('t00.png', np.zeros((HEIGHT, WIDTH + 1)))
    found = find()['masks: sizes', 'error']
    assert found.examples == (f't00 (mask {WIDTH + 1}x{HEIGHT}, picture {WIDTH}x{HEIGHT})',)


def test_a_mask_that_lies_on_its_side_is_explained_by_exif(folder, find):
    exif = Image.Exif()
    exif[0x0112] = 6
    folder.write_picture('t00.jpg', exif=exif)
    found = find()
    assert found['pictures: orientation', 'error'].examples == ('t00',)
    assert ('masks: sizes', 'error') not in found


def test_values_beyond_the_classes(folder, find):
    folder.write_mask('t00.png', folder.mask(1, 4, 254))
    found = find()['masks: values', 'error']
    assert found.examples == ('t00 (4, 254)',)
    assert '0 .. 3' in found.found


def test_masks_of_nothing_but_0_and_255():
    masks = {name: MaskFacts(name, size=(1, 4), pixels={0: 3, 255: 1}) for name in 'ab'}
    (found,) = check_values(masks, 4)
    assert found.status == 'warning'
    assert '255 means void' in found.found
    masks['c'] = MaskFacts('c', size=(1, 4), pixels={0: 3, 1: 1})
    assert check_values(masks, 4)[0].status == 'ok'


def test_much_void():
    masks = {
        'half': MaskFacts('half', pixels={0: 50, 255: 50}),
        'more': MaskFacts('more', pixels={0: 49, 255: 51}),
        'none': MaskFacts('none', pixels={0: 100}),
        'broken': MaskFacts('broken', problem='empty'),
    }
    (found,) = check_void(masks)
    assert (found.status, found.examples) == ('warning', ('more (51%)',))
    assert found.found.endswith('on average 33.7%')


def test_masks_and_tags_that_disagree(folder, find):
    folder.write_mask('t00.png', folder.mask(1, 2))  # a cat, and a dog without a tag
    folder.tags['t01'] = ['dog', 'cow']
    folder.write_texts()
    found = find()
    assert found['masks: classes without a tag', 'warning'].examples == ('t00: dog',)
    assert found['masks: tags without a class', 'warning'].examples == ('t01: cow',)
    assert 'order' not in found['masks: tags without a class', 'warning'].remedy


def test_classes_in_another_order_than_the_masks(folder, find):
    (folder.root / 'classes.txt').write_text('background\ncow\ncat\ndog\n')
    found = find()['masks: tags without a class', 'warning']
    assert len(found.examples) == 45
    assert 'another order' in found.remedy


def test_masks_without_a_list_of_classes(folder, find):
    (folder.root / 'classes.txt').unlink()
    found = find()
    assert '1 cat, 2 cow, 3 dog' in found['masks: meaning', 'warning'].found
    assert 'another order' in found['masks: tags without a class', 'warning'].remedy


def test_masks_below_the_picture_folder_are_no_pictures(folder, find):
    folder.remove_lists()
    for path in (folder.root / 'JPEGImages').iterdir():
        path.rename(folder.root / path.name)
    (folder.root / 'JPEGImages').rmdir()
    found = find()
    assert list(found) == [('masks: place', 'warning')]
    assert found['masks: place', 'warning'].found.startswith('45 masks below the picture folder')
    said = {one.check: one.found for one in folder.examine()}
    assert said['data as a training reads it'] == '45 pictures'
