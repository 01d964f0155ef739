"""What is found about tags: by name, with the right severity, and with what to do."""

import json

import numpy as np
import pytest

from mmppc.doctor.tag_counts import RARE, check_counts, check_untagged
from mmppc.doctor.tag_table import TagTable, read_tag_table
from mmppc.doctor.unknown_tags import alike


def table_of(rows, classes=('cat', 'dog')):
    vectors = {
        key: np.array([name in tags for name in classes], np.float32) for key, tags in rows.items()
    }
    return TagTable(classes, len(classes), vectors)


def test_unknown_tags_are_counted_and_the_nearest_class_is_named(folder, find):
    for name in ('t00', 't03'):
        folder.tags[name] = ['kat']
    folder.tags['t06'] = ['cat', 'zebra']
    folder.write_texts()
    found = find()['tags: spelling', 'error']
    assert found.found == '2 tags not among the 3 classes'
    assert found.examples[0] == "'kat' on 2 pictures (nearest known names: 'cat')"
    assert found.examples[1].startswith("'zebra' on 1 picture (known names: 'cat', 'dog', 'cow'")


def test_pictures_without_rows_and_rows_without_pictures(folder, find):
    folder.tags['t00 '.strip() + 'x'] = folder.tags.pop('t00')
    folder.tags['far away'] = ['cat']
    folder.write_texts()
    found = find()
    assert found['tags: missing rows', 'error'].examples == ('t00',)
    assert found['tags: missing rows', 'error'].found == '1 of 45 pictures without a row'
    assert found['tags: rows without a picture', 'warning'].examples == (
        'far away',
        't00x (meant for t00?)',
    )


def test_rows_that_all_miss_tell_how_they_are_named(folder, find):
    folder.tags = {f'elsewhere/{name}': tags for name, tags in folder.tags.items()}
    folder.write_texts()
    found = find()
    assert len(found['tags: missing rows', 'error'].examples) == 45
    assert (
        'path below the picture folder' in found['tags: rows without a picture', 'warning'].remedy
    )


def test_pictures_without_a_tag(folder, find):
    folder.tags['t00'] = folder.tags['v00'] = []
    folder.write_texts()
    found = find()
    assert found['tags: empty rows of train', 'warning'].examples == ('t00',)
    assert found['tags: empty rows of val', 'warning'].examples == ('v00',)


def test_rare_and_missing_classes(folder, find):
    for name in [name for name, tags in folder.tags.items() if tags == ['cow']][:5]:
        folder.tags[name] = ['cat']
    for name, tags in folder.tags.items():
        folder.tags[name] = [label for label in tags if label != 'dog']
    folder.write_texts()
    train = [one for one in folder.examine() if one.check == 'tags: classes of train']
    assert [(one.status, one.examples) for one in train] == [
        ('warning', ('dog',)),
        ('warning', ('cow (7)',)),
    ]
    assert 'cannot be learnt' in train[0].found
    val = [one for one in folder.examine() if one.check == 'tags: classes of val']
    assert [(one.status, one.examples) for one in val] == [('warning', ('dog',))]
    assert 'nothing is measured' in val[0].found


def test_a_class_with_just_enough_pictures_is_not_rare():
    rows = {f'{number}': ['cat' if number < RARE else 'dog'] for number in range(2 * RARE)}
    (found,) = check_counts(' of train', table_of(rows), list(rows), learnt=True)
    assert (found.status, found.found) == ('ok', f'pictures a class: cat {RARE}, dog {RARE}')
    rows['0'] = ['dog']
    (found,) = check_counts(' of train', table_of(rows), list(rows), learnt=True)
    assert (found.status, found.examples) == ('warning', (f'cat ({RARE - 1})',))


def test_a_class_on_every_picture():
    rows = {f'{number}': ['cat', 'dog'] if number % 2 else ['cat'] for number in range(40)}
    (found,) = check_counts('', table_of(rows), list(rows), learnt=True)
    assert (found.status, found.examples) == ('warning', ('cat',))
    assert 'on every picture' in found.found
    (measured,) = check_counts('', table_of(rows), list(rows), learnt=False)
    assert measured.status == 'ok'


def test_a_class_that_never_occurs_without_another_one():
    classes = ('boat', 'water', 'tree')
    rows = {f'{number}': ['boat', 'water'] for number in range(12)}
    rows |= {f'w{number}': ['water'] for number in range(12)}
    rows |= {f't{number}': ['tree'] for number in range(12)}
    (found,) = check_counts('', table_of(rows, classes), list(rows), learnt=True)
    assert found.examples == ('boat only with water (12 pictures)',)
    rows['alone'] = ['boat']
    (found,) = check_counts('', table_of(rows, classes), list(rows), learnt=True)
    assert found.status == 'ok'


@pytest.mark.parametrize('content', ['{"t00": "cat"}', '{', '[1]'])
def test_a_json_that_is_none_of_ours(folder, find, content):
    (folder.root / 'tags.json').write_text(content)
    found = find(tags='tags.json')
    assert 'tags.json' in found['tags: file', 'error'].found


def test_a_missing_header_names_the_line(folder, find):
    (folder.root / 'tags.csv').write_text('picture,label\nt00,cat\n')
    assert "line 1: expected the header 'image,tags'" in find()['tags: file', 'error'].found


def test_json_and_voc_xml_are_read_too(folder):
    (folder.root / 'tags.csv').unlink()
    (folder.root / 'tags.json').write_text(json.dumps(folder.tags))
    assert {one.status for one in folder.examine()} == {'ok'}
    (folder.root / 'tags.json').unlink()
    (folder.root / 'Annotations').mkdir()
    for name, tags in folder.tags.items():
        objects = ''.join(f'<object><name>{tag}</name></object>' for tag in tags)
        path = folder.root / 'Annotations' / f'{name}.xml'
        path.write_text(f'<annotation>{objects}</annotation>')
    found = {one.check: one for one in folder.examine()}
    assert {one.status for one in found.values()} == {'ok'}
    assert found['tags: file'].found.startswith(f'45 rows in {folder.root / "Annotations"}')


def test_no_tags_at_all(folder, find):
    (folder.root / 'tags.csv').unlink()
    assert 'no tags' in find()['tags: file', 'warning'].found


def test_names_with_blanks_are_split_as_a_training_splits_them(tmp_path):
    (tmp_path / 'a.csv').write_text('image,tags\na,palm tree;house\nb,house\n')
    both = read_tag_table(tmp_path / 'a.csv', ('house', 'palm tree'))
    assert (both.names, both.tags_of('a')) == (('house', 'palm tree'), ('house', 'palm tree'))
    single = read_tag_table(tmp_path / 'a.csv', ('house', 'tree'))
    assert single.names == ('house', 'tree', 'palm')
    assert (single.tags_of('a'), single.tags_of('none')) == (('house', 'tree'), ())


def test_a_name_of_two_words_may_be_two(folder, find):
    folder.tags = {name: ['guinea pig'] if tags else [] for name, tags in folder.tags.items()}
    folder.write_texts()
    rows = (folder.root / 'tags.csv').read_text().replace(';', '')
    (folder.root / 'tags.csv').write_text(rows)
    (folder.root / 'classes.txt').unlink()
    found = find()['classes: words', 'error']
    assert "is 'guinea pig' one class or 2? 'guinea' is nowhere a tag by itself" in found.found
    assert found.remedy.startswith("Separate tags by ';'")


def test_tags_in_two_spellings_without_a_list_of_classes(folder, find):
    (folder.root / 'classes.txt').unlink()
    folder.tags['t00'] = ['Cat']
    folder.write_texts()
    (folder.root / 'classes.txt').unlink()
    found = find()['tags: spelling', 'warning']
    assert found.examples == ("'Cat' (1 picture) and 'cat' (14)",)


def test_alike():
    assert alike({'cat': 50, 'cats': 1, 'dog': 50, 'cow': 50, 'dgo': 1}) == [('cats', 'cat')]
    assert alike({'cat': 50, 'car': 40, 'cow': 45}) == []
    assert alike({'horse': 30, 'hrose': 2, 'HORSE': 29}) == [('HORSE', 'horse'), ('hrose', 'horse')]


def test_a_row_of_unknown_tags_is_not_empty_unless_they_are_passed_over():
    table = TagTable(('cat', 'dgo'), 1, {'a': np.array([0, 1], np.float32)})
    assert check_untagged('', table, ['a'], ignored=False).status == 'ok'
    assert check_untagged('', table, ['a'], ignored=True).examples == ('a',)
