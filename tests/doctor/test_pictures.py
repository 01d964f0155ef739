"""What is found about pictures: by name, with the right severity, and with what to do."""

import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image

from mmppc.doctor.facts import MaskFacts, PictureFacts, read_facts, read_picture_facts
from mmppc.doctor.orientation import check_orientation
from mmppc.doctor.picture_sizes import check_sizes, describe_sizes

from .conftest import HEIGHT, WIDTH


def test_unreadable_pictures_are_named_with_the_reason(folder, find):
    folder.picture('t00.jpg').write_bytes(b'')
    whole = folder.picture('t01.jpg').read_bytes()
    folder.picture('t01.jpg').write_bytes(whole[: len(whole) // 2])
    folder.picture('v00.jpg').write_text('not a picture')
    found = find()['pictures: readable', 'error']
    assert found.found == '3 of 45 cannot be read'
    assert found.examples[0] == 't00.jpg (empty, 0 bytes)'
    assert found.examples[1].startswith('t01.jpg (not a picture that can be read, or truncated')
    assert found.examples[2].startswith('v00.jpg (')
    assert str(folder.root) not in ' '.join(found.examples)


def test_a_png_cut_off_behind_its_header_is_unreadable(tmp_path):
    path = tmp_path / 'a.png'
    Image.fromarray(np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)).save(
        path
    )
    assert read_picture_facts(str(path)).problem == ''
    path.write_bytes(path.read_bytes()[:4000])
    assert 'truncated' in read_picture_facts(str(path)).problem


def test_an_error_that_pillow_does_not_announce_is_a_finding(monkeypatch, tmp_path):
    path = tmp_path / 'a.png'
    Image.new('RGB', (8, 8)).save(path)
    monkeypatch.setattr('mmppc.doctor.facts.read_picture', lambda _: {}['tag 270'])
    assert read_picture_facts(str(path)).problem == "KeyError: 'tag 270'"


def test_facts_of_a_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new('L', (30, 20)).save(tmp_path / 'grey.jpg', exif=exif)
    facts = read_picture_facts(str(tmp_path / 'grey.jpg'))
    assert (facts.size, facts.mode, facts.kind, facts.orientation) == ((30, 20), 'L', 'JPEG', 8)
    assert not facts.transparent


@pytest.mark.parametrize(
    ('size', 'words'),
    [
        ((63, 300), 'below 64 pixels'),
        ((3000, 2001), 'million pixels'),
        ((70, 360), 'more than 5 times'),
    ],
)
def test_doubtful_sizes(size, words):
    pictures = {'a': PictureFacts('a', size=size), 'b': PictureFacts('b', size=(100, 100))}
    (found,) = check_sizes(pictures)
    assert found.status == 'warning'
    assert words in found.found
    assert found.examples == (f'a ({size[1]}x{size[0]})',)


def test_sizes_at_the_limits_are_fine():
    pictures = {
        name: PictureFacts(name, size=size)
        for name, size in {'a': (64, 320), 'b': (2000, 3000), 'c': (64, 64)}.items()
    }
    (found,) = check_sizes(pictures)
    assert (found.status, found.found) == ('ok', '320x64 in the middle, 64x64 .. 3000x2000 by area')
    assert describe_sizes([(20, 10)]) == 'all 10x20'


def test_pictures_that_become_rgb_with_losses(folder, find):
    folder.write_picture('t00.jpg', mode='CMYK')
    folder.write_picture('t01.jpg', mode='L')
    for name in ('t02', 't03', 't04', 't05'):
        folder.picture(f'{name}.jpg').unlink()
    sheer = Image.new('RGBA', (WIDTH, HEIGHT), (200, 10, 10, 255))
    sheer.save(folder.picture('t03.png'))  # opaque everywhere: nothing is lost
    sheer.putpixel((3, 3), (0, 0, 0, 0))
    sheer.save(folder.picture('t02.png'))
    Image.fromarray(np.full((HEIGHT, WIDTH), 3000, np.uint16)).save(folder.picture('t04.png'))
    frames = [Image.new('RGB', (WIDTH, HEIGHT), colour) for colour in ('red', 'blue')]
    frames[0].save(folder.picture('t05.webp'), save_all=True, append_images=frames[1:])
    found = [one for one in folder.examine() if one.check == 'pictures: colours']
    assert {one.status for one in found} == {'warning'}
    by_words = {word: one.examples for one in found for word in one.found.split()}
    assert by_words['CMYK'] == ('t00.jpg',)
    assert by_words['grey:'] == ('t01.jpg', 't04.png')
    assert by_words['transparent'] == ('t02.png',)
    assert by_words['frames'] == ('t05.webp',)
    assert len(found) == 4


def turned(orientation, size=(40, 20)):
    return PictureFacts('p', size=size, mode='RGB', orientation=orientation)


@pytest.mark.parametrize('orientation', [5, 6, 7, 8])
def test_a_mask_drawn_on_the_picture_before_it_was_turned(orientation):
    pair = ('p', turned(orientation), MaskFacts('m', size=(20, 40)))
    (found,) = check_orientation({'p': pair[1]}, [pair])
    assert (found.status, found.examples) == ('error', ('p',))
    assert '1 mask lying on the side' in found.found


@pytest.mark.parametrize(
    ('orientation', 'size', 'status'),
    [(3, (40, 20), 'warning'), (6, (40, 40), 'warning'), (6, (40, 20), 'ok'), (1, (40, 20), 'ok')],
)
def test_an_orientation_that_the_size_does_not_decide(orientation, size, status):
    pair = ('p', turned(orientation, size), MaskFacts('m', size=size))
    (found,) = check_orientation({'p': pair[1]}, [pair])
    assert found.status == status


def test_turned_pictures_without_masks_are_counted(folder):
    shutil.rmtree(folder.root / 'SegmentationClass')
    exif = Image.Exif()
    exif[0x0112] = 6
    folder.write_picture('t00.jpg', exif=exif)
    found = next(one for one in folder.examine() if one.check == 'pictures: orientation')
    assert (found.status, found.found) == ('ok', '1 turned upright by EXIF orientation')


def test_the_same_pixels_under_several_names(folder):
    with Image.open(folder.picture('t00.jpg')) as picture:
        picture.load()
        picture.save(folder.picture('t03.png'))  # the same pixels in another format
    folder.picture('t03.jpg').unlink()
    shutil.copy(folder.picture('t01.jpg'), folder.picture('v01.jpg'))
    shutil.copy(folder.picture('t02.jpg'), folder.picture('t04.jpg'))
    found = [one for one in folder.examine() if one.check == 'pictures: duplicates']
    assert {one.status for one in found} == {'warning'}
    same, leaks, torn = found
    assert same.examples == ('t00.jpg = t03.png', 't01.jpg = v01.jpg', 't02.jpg = t04.jpg')
    assert leaks.examples == ('t01.jpg = v01.jpg',)
    assert torn.examples == ('t02.jpg = t04.jpg',)  # a cow and a dog


def test_two_files_of_one_sample_id(folder, find):
    folder.write_picture('t00.PNG', seed=77)
    found = find()
    assert found['list of train', 'error'].examples == ('t00: t00.PNG or t00.jpg',)
    folder.lists['train'][0] = 't00.jpg'  # the suffix decides
    folder.write_texts()
    found = find()
    assert set(found) == {('pictures: names', 'warning')}
    assert found['pictures: names', 'warning'].examples == ('t00.PNG = t00.jpg',)
    folder.remove_lists()
    assert find()['pictures: names', 'error'].examples == ('t00.PNG = t00.jpg',)


def test_one_name_in_two_unicode_forms_is_one_sample_id(folder, find):
    name = 'Käse'
    folder.remove_lists()
    folder.write_picture(f'{name}.jpg', seed=1001)
    folder.write_picture(f'{unicodedata.normalize("NFD", name)}.jpg', seed=1002)
    folder.tags[name] = ['cat']
    folder.write_texts()
    folder.remove_lists()
    if len({path.name for path in folder.picture('').glob('K*')}) < 2:
        pytest.skip('this file system knows one form only')
    (example,) = find()['pictures: names', 'error'].examples
    assert unicodedata.normalize('NFC', example) == 'Käse.jpg = Käse.jpg'


def test_pictures_of_other_kinds_are_not_passed_over_in_silence(folder, find):
    folder.picture('IMG_1.HEIC').write_bytes(b'x')
    folder.picture('b.gif').write_bytes(b'x')
    folder.picture('.hidden.gif').write_bytes(b'x')
    folder.picture('notes.txt').write_text('x')
    found = find()['pictures: other files', 'warning']
    assert found.examples == ('IMG_1.HEIC', 'b.gif')
    assert '.gif, .heic' in found.found


def test_a_folder_without_pictures(folder, find):
    shutil.rmtree(folder.root / 'JPEGImages')
    (folder.root / 'JPEGImages').mkdir()
    assert 'no picture in this folder' in find()['pictures', 'error'].found


def test_pictures_of_no_list_are_mentioned(folder):
    folder.write_picture('extra.jpg', seed=500)
    found = next(one for one in folder.examine() if one.check == 'pictures')
    assert (found.status, found.found.split('; ')[1]) == ('ok', '1 more in no list')


def test_facts_of_several_processes_are_those_of_one(folder):
    pictures = sorted(map(str, (folder.root / 'JPEGImages').iterdir()))
    masks = sorted(map(str, (folder.root / 'SegmentationClass').iterdir()))
    alone = read_facts(pictures, masks, workers=0)
    assert len(alone.pictures) == len(alone.masks) == 45
    assert alone.masks[masks[0]].pixels == {0: HEIGHT * WIDTH - 450 - 40, 1: 450, 255: 40}
