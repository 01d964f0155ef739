"""What is found about lists and classes: by name, with the right severity, and with what to do."""

import pytest

from mmppc.doctor.classes import check_names, check_number
from mmppc.doctor.splits import check_list, check_overlap, match_list

FILES = {'a': ['a.jpg'], 'b': ['b.jpg', 'b.png'], 'sub/c': ['sub/c.JPG'], 'v1.2': ['v1.2.jpeg']}


def test_lines_are_matched_as_a_training_matches_them():
    match = match_list(['a', 'b.png', './sub\\c', 'v1.2.jpeg', 'd', 'b', 'a.jpg'], FILES)
    assert match.pictures == {'a': 'a.jpg', 'b': 'b.png', 'sub/c': 'sub/c.JPG', 'v1.2': 'v1.2.jpeg'}
    assert match.missing == ['d']
    assert match.ambiguous == ['b: b.jpg or b.png']
    assert match.repeated == ['a.jpg']


@pytest.mark.parametrize(
    ('line', 'hint'),
    [
        ('a 1', 'keep the first column'),
        ('a  -1', 'keep the first column'),
        ('/JPEGImages/a.jpg /SegmentationClass/a.png', 'names of the pictures alone'),
        ('JPEGImages/a.jpg', "'a' instead of 'JPEGImages/a.jpg'"),
        ('c', "'sub/c' instead of 'c'"),
        ('v1.3', "nearest known names: 'v1.2'"),
    ],
)
def test_what_to_do_about_lines_that_name_no_picture(line, hint):
    match = match_list([line], FILES)
    (found,) = check_list('train', [line], match, list(FILES))
    assert (found.check, found.status, found.examples) == ('list of train', 'error', (line,))
    assert hint in found.remedy


def test_pictures_in_two_parts():
    ours, theirs = {'a': 'a.jpg', 'b': 'b.jpg'}, {'b': 'b.jpg', 'c': 'c.jpg'}
    (found,) = check_overlap({'train, test': ours, 'val': theirs})
    assert (found.status, found.examples) == ('warning', ('b',))
    (found,) = check_overlap({'train': ours, 'val': {'c': 'c.jpg'}})
    assert found.status == 'ok'
    assert check_overlap({'train': ours}) == []
    (found,) = check_overlap({'train': ours, 'test': ours})  # seeds are made of what is trained on
    assert found.status == 'ok'


def test_all_problems_of_a_list_are_found_at_once(folder, find):
    folder.lists['train'] += ['nobody', 't00', 'nobody else']
    folder.write_texts()
    found = [one for one in folder.examine() if one.check == 'list of train']
    assert [one.examples for one in found] == [('nobody', 'nobody else'), ('t00',)]


def test_the_background_has_to_be_first():
    assert check_names(('background', 'cat'), made=False)[0].status == 'ok'
    wrong = check_names(('cat', 'background'), made=False)[0]
    assert wrong.status == 'error'
    assert "'background' is number 1" in wrong.found
    doubtful = check_names(('sky', 'cat'), made=False)[0]
    assert doubtful.status == 'warning'
    assert "is called 'sky'" in doubtful.found


def test_more_classes_than_a_mask_can_hold():
    names = ['background', *(f'c{number}' for number in range(255))]
    assert check_names(names[:255], made=False)[0].status == 'ok'
    assert check_names(names, made=False)[0].status == 'error'


def test_the_network_has_a_channel_for_every_class():
    assert check_number(('background', 'cat'), None) == []
    assert check_number(('background', 'cat'), 2)[0].status == 'ok'
    (found,) = check_number(('background', 'cat'), 21)
    assert (found.status, found.remedy) == (
        'error',
        '--cfg-options model.decode_head.num_classes=2',
    )


@pytest.mark.parametrize('content', [b'background\n', b'background\ncat\ncat\n', b'K\xe4se\n'])
def test_classes_that_cannot_be_used(folder, find, content):
    (folder.root / 'classes.txt').write_bytes(content)
    found = find()
    assert found['classes', 'error'].found.startswith(str(folder.root / 'classes.txt'))
