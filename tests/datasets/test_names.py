import os
import unicodedata

import pytest

from mmppc.datasets.names import examples, list_files, nearest_names, read_classes, sample_id


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('2007_000032', '2007_000032'),
        ('2007_000032.jpg', '2007_000032'),
        (' a b.JPEG ', 'a b'),
        ('a .jpg', 'a'),
        ('./set\\deep/x.webp', 'set/deep/x'),
        ('v1.2', 'v1.2'),
        (unicodedata.normalize('NFD', 'Bär.png'), 'Bär'),
        ('mask.xml', 'mask.xml'),
    ],
)
def test_sample_id(name, expected):
    assert sample_id(name) == expected


def test_list_files_takes_subfolders_and_any_case_but_nothing_hidden(tmp_path):
    for name in ('b.JPG', 'a/c.png', 'a/c.jpg', '._b.jpg', '.cache/d.jpg', 'note.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = list_files(tmp_path, ('.jpg', '.png'))
    assert found == {'a/c': ['a/c.jpg', 'a/c.png'], 'b': ['b.JPG']}


def test_list_files_under_the_names_that_a_list_can_write(tmp_path):
    for name in (' first.jpg', 'last .jpg'):
        (tmp_path / name).touch()
    found = list_files(tmp_path, ('.jpg',))
    assert found == {'first': [' first.jpg'], 'last': ['last .jpg']}
    assert all(sample_id(paths[0]) == key for key, paths in found.items())


def test_list_files_without_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere: no such folder'):
        list_files(tmp_path / 'nowhere', ('.jpg',))


def test_read_classes_tolerates_a_bom_and_blank_lines(tmp_path):
    file = tmp_path / 'classes.txt'
    file.write_bytes('\ufeffbackground\r\n\r\nBär \r\n'.encode())
    assert read_classes(file) == ('background', 'Bär')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'background\ncat\ncat\n', r"classes\.txt: classes named twice: \['cat'\]"),
        (b'background\n', r"expected the background and at least one class, found \['backg"),
        (b'background\nB\xe4r\n', r'classes\.txt: byte 12 is not UTF-8 text'),
    ],
)
def test_read_classes_refuses(tmp_path, content, message):
    file = tmp_path / 'classes.txt'
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_classes(file)


def test_missing_class_file_names_itself(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'classes{os.extsep}txt: no such file'):
        read_classes(tmp_path / 'classes.txt')


def test_texts_of_messages():
    assert nearest_names('hors', ['cat', 'horse']) == "nearest known names: 'horse'"
    assert nearest_names('zebra', ['cat', 'dog']) == "known names: 'cat', 'dog'"
    assert examples(list('abcd')) == "4 (first: 'a', 'b', 'c')"
