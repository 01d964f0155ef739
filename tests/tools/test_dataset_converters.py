import subprocess
import sys
from pathlib import Path

import numpy as np

from mmppc.datasets import VOC_CLASSES, load_tags

TOOLS = Path(__file__).parents[2] / 'tools/dataset_converters'


def run(tool, *arguments):
    command = [sys.executable, str(TOOLS / tool), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_published_labels_become_a_tag_csv(tmp_path):
    rows = {'2007_000032': np.eye(20, dtype=np.float32)[[0, 14]].sum(0), 2007000039: np.zeros(20)}
    np.save(tmp_path / 'cls_labels.npy', np.array(rows, dtype=object), allow_pickle=True)
    done = run('cls_labels_to_csv.py', tmp_path / 'cls_labels.npy', tmp_path / 'tags.csv')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'tags.csv').read_text() == (
        'image,tags\n2007_000032,aeroplane;person\n2007_000039,\n'
    )
    tags = load_tags(tmp_path / 'tags.csv', VOC_CLASSES[1:])
    assert np.array_equal(tags['2007_000032'], rows['2007_000032'])
    (tmp_path / 'two.txt').write_text('background\ncat\n')
    wrong = run(
        'cls_labels_to_csv.py',
        tmp_path / 'cls_labels.npy',
        tmp_path / 'b.csv',
        '--classes-file',
        tmp_path / 'two.txt',
    )
    assert wrong.returncode == 2
    assert "field '2007_000032': expected 1 zeros and ones" in wrong.stderr
    assert not (tmp_path / 'b.csv').exists()


def test_annotations_become_the_same_tags(tmp_path):
    folder = tmp_path / 'Annotations'
    folder.mkdir()
    for name, tags in {'a': ('dog', 'cat', 'dog'), 'b': ()}.items():
        objects = ''.join(f'<object><name>{tag}</name></object>' for tag in tags)
        (folder / f'{name}.xml').write_text(f'<annotation>{objects}</annotation>')
    done = run('voc_to_tags.py', folder, tmp_path / 'tags.csv')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'tags.csv').read_text() == 'image,tags\na,cat;dog\nb,\n'
    (tmp_path / 'two.txt').write_text('background\ncat\n')
    arguments = (
        'voc_to_tags.py',
        folder,
        tmp_path / 'b.csv',
        '--classes-file',
        tmp_path / 'two.txt',
    )
    assert "unknown tag 'dog'" in run(*arguments).stderr
    assert run(*arguments, '--ignore-unknown').returncode == 0
    assert (tmp_path / 'b.csv').read_text() == 'image,tags\na,cat\nb,\n'


def test_toy_set(tmp_path):
    arguments = ('draw_toy_set.py', tmp_path / 'toy', '--num-train', 2, '--num-val', 1)
    assert run(*arguments).returncode == 0
    assert len(list((tmp_path / 'toy/JPEGImages').iterdir())) == 3
    refused = run(*arguments, '--seed', 1)
    assert refused.returncode == 2
    assert 'holds a toy set drawn with' in refused.stderr
