import json
import unicodedata

import numpy as np
import pytest

from mmppc.datasets import load_tags
from mmppc.datasets.tags import tag_names

CLASSES = ('cat', 'dog', 'cow')
EXPECTED = {'Käse und Brot': (1, 0, 1), 'set a/two': (0, 0, 0), 'v1.2': (0, 1, 0)}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding='utf-8', newline='')
    return path


def annotation(*names):
    objects = ''.join(
        f'<object><name>{name}</name><difficult>1</difficult>'
        '<part><name>head</name></part></object>'
        for name in names
    )
    return f'<annotation><filename>other.jpg</filename>{objects}</annotation>'


def write_xml(folder):
    write(folder / 'Käse und Brot.xml', annotation('cow', 'cat', 'cow'))
    write(folder / 'set a/two.xml', annotation())
    write(folder / 'v1.2.xml', annotation('dog'))
    return folder


LISTED = 'image,tags\nKäse und Brot.jpg,cat cow\nset a/two,\nv1.2.jpeg,dog\n'
CSVS = {
    'blanks': LISTED,
    'bom, crlf': '\ufeff' + LISTED.replace('\n', '\r\n'),
    'decomposed umlauts': unicodedata.normalize('NFD', LISTED),
    'semicolons': LISTED.replace('cat cow', 'cat;cow'),
    'bars': LISTED.replace('cat cow', 'cat | cow'),
    'quoted commas': LISTED.replace('cat cow', '"cat, cow"'),
    'columns by semicolons': LISTED.replace(',', ';').replace('cat cow', '"cat;cow"'),
    'header in capitals': LISTED.replace('image,tags', 'Image,Tags'),
    'columns by tabs': LISTED.replace(',', '\t'),
    'windows separators, blank lines': LISTED.replace('set a/', '\nset a\\'),
    'multi-hot': 'image,cow,cat,dog\nKäse und Brot,1,1,0\nset a/two,0,0,0\nv1.2,0.0,0,1.0\n',
}


@pytest.mark.parametrize('kind', ['xml', 'json', *CSVS])
def test_every_source_gives_the_same_tags(tmp_path, kind):
    if kind == 'xml':
        path = write_xml(tmp_path / 'Annotations')
    elif kind == 'json':
        content = {
            name + '.jpg': [c for c, on in zip(CLASSES, tags) if on]
            for name, tags in EXPECTED.items()
        }
        path = write(tmp_path / 'tags.json', json.dumps(content))
    else:
        path = write(tmp_path / 'tags.csv', CSVS[kind])
    tags = load_tags(path, CLASSES)
    assert {key: tuple(vector) for key, vector in tags.items()} == EXPECTED
    assert all(v.dtype == np.float32 and v.shape == (3,) for v in tags.values())


def test_class_names_with_blanks_need_another_separator(tmp_path):
    path = write(tmp_path / 'tags.csv', 'image,tags\na,traffic light\nb,traffic light;cat\n')
    tags = load_tags(path, ['cat', 'traffic light'])
    assert tags['a'].tolist() == [0, 1]
    assert tags['b'].tolist() == [1, 1]


@pytest.mark.parametrize(
    ('rows', 'names'),
    [
        ('a,cat dog\nb,dog\nc,cat\n', {'cat', 'dog'}),
        ('a,guinea pig;cat\nb,guinea pig\n', {'cat', 'guinea pig'}),
        ('a,guinea pig;\n', {'guinea pig'}),
        ('a,"guinea pig, cat"\n', {'cat', 'guinea pig'}),
        ('a,\nb,cat\n', {'cat'}),
    ],
)
@pytest.mark.parametrize('guess', [True, False])
def test_names_of_a_csv(tmp_path, rows, names, guess):
    path = write(tmp_path / 'tags.csv', f'Image,TAGS\n{rows}')
    assert tag_names(path, guess=guess) == names


def test_a_name_of_two_words_is_not_taken_for_two(tmp_path):
    path = write(tmp_path / 'tags.csv', 'image,tags\na,pig\nb,guinea pig\n')
    with pytest.raises(
        ValueError, match=r"line 3: is 'guinea pig' one class or 2\? 'guinea' is nowhere a tag"
    ):
        tag_names(path, guess=False)
    assert tag_names(path) == {'guinea', 'pig'}
    assert load_tags(path, ['guinea pig', 'pig'])['b'].tolist() == [1, 0]


@pytest.mark.parametrize('kind', ['xml', 'csv', 'multi-hot', 'json'])
def test_unknown_tags_are_refused_or_passed_over(tmp_path, kind):
    path, where = {
        'xml': lambda: (
            write(tmp_path / 'xml' / 'a.xml', annotation('cat', 'hors')).parent,
            r'a\.xml: unknown tag',
        ),
        'csv': lambda: (
            write(tmp_path / 'tags.csv', 'image,tags\nb,dog\na,cat hors\n'),
            r'tags\.csv: line 3: unknown tag',
        ),
        'multi-hot': lambda: (
            write(tmp_path / 'tags.csv', 'image,cat,dog,horse,hors\na,1,0,0,1\n'),
            r'tags\.csv: line 1: column',
        ),
        'json': lambda: (
            write(tmp_path / 'tags.json', '{"a": ["cat", "hors"]}'),
            r"tags\.json: field 'a': unknown tag",
        ),
    }[kind]()
    classes = ['cat', 'dog', 'horse']
    with pytest.raises(ValueError, match=where + r" 'hors'.*nearest known names: 'horse'"):
        load_tags(path, classes)
    assert load_tags(path, classes, ignore_unknown=True)['a'].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', r"tags\.csv: line 1: expected the header 'image,tags'.*found ''"),
        ('name,tags\na,cat\n', r"line 1: expected the header 'image,tags'.*found 'name,tags'"),
        (
            'image,tags\na,cat,dog\n',
            r"line 2: expected 2 columns, found 3.*separate the tags by ';'",
        ),
        ('image,tags\na,cat\n,dog\n', r"line 3: column 'image' is empty"),
        ('image,tags\na,cat\na.jpg,dog\n', r"line 3: picture 'a' has tags already in .*line 2"),
        ('image,tags\na,"cat\n', r'line \d: not CSV'),
        (
            'image,cat,dog\na,1,0\n',
            r"line 1: expected a column for every class, missing: \['cow'\]",
        ),
        ('image,cat,dog,cow,cat\na,1,0,0,1\n', r"line 1: columns named twice: \['cat'\]"),
        ('image,cat,dog,cow\na,1,yes,0\n', r"line 2: column 'dog': expected 0 or 1, found 'yes'"),
        ('image,cat,dog,cow\na,1,0\n', r'line 2: expected 4 columns, found 3'),
    ],
)
def test_wrong_csv(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        load_tags(write(tmp_path / 'tags.csv', content), CLASSES)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{\n"a": cat}', r'tags\.json: line 2, column 6: not JSON'),
        ('["a"]', r'expected \{"picture": \["tag", ...\], ...\}, found a list'),
        ('{"a": "cat"}', r"field 'a': expected .*found 'cat'"),
        ('{"a": [1]}', r"field 'a': expected .*found '\[1\]'"),
        ('{"a": ["cat"], "a": []}', r"field 'a' occurs twice"),
    ],
)
def test_wrong_json(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        load_tags(write(tmp_path / 'tags.json', content), CLASSES)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('<annotation><object>', r'a\.xml: not well-formed XML'),
        ('<html></html>', r'a\.xml: expected the root element <annotation> of VOC, found <html>'),
        (
            '<annotation><object><name>cat</name></object><object/></annotation>',
            r'a\.xml: object 2 has no <name>',
        ),
    ],
)
def test_wrong_xml(tmp_path, content, message):
    path = write(tmp_path / 'a.xml', content)
    with pytest.raises(ValueError, match=message):
        load_tags(path.parent, CLASSES)


def test_wrong_paths(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'tags\.csv: no such tag file'):
        load_tags(tmp_path / 'tags.csv', CLASSES)
    with pytest.raises(ValueError, match=r'found no \.xml file in this folder'):
        load_tags(tmp_path, CLASSES)
    (tmp_path / 'tags.txt').touch()
    with pytest.raises(ValueError, match=r'tags\.txt: expected a \.csv, a \.json or a folder'):
        load_tags(tmp_path / 'tags.txt', CLASSES)
    (tmp_path / 'cls_labels.npy').touch()
    with pytest.raises(ValueError, match=r'not read from pickles.*cls_labels_to_csv'):
        load_tags(tmp_path / 'cls_labels.npy', CLASSES)
    (tmp_path / 'latin.csv').write_bytes('image,tags\nKäse,cat\n'.encode('latin-1'))
    with pytest.raises(ValueError, match=r'latin\.csv: byte 12 is not UTF-8'):
        load_tags(tmp_path / 'latin.csv', CLASSES)
