"""Class folders, drawn here, through the converter and the dataset; the split by itself."""

import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from mmppc.datasets import TaggedImageDataset, load_tags
from mmppc.datasets.class_folders import read_class_folders, stratified_split

TOOL = 'dataset_converters/folder_per_class.py'
COUNTS = {'cat': 10, 'dog': 20, 'großes Pferd': 5}


@pytest.fixture
def pictures(tmp_path):
    draw = np.random.default_rng(0)
    root = tmp_path / 'my pictures'
    for name, count in COUNTS.items():
        (root / name / 'more').mkdir(parents=True)
        for number in range(count):
            folder = root / name / ('more' if number % 2 else '')
            noise = draw.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f'{number}.png')
    return root


def lists(folder):
    found = (folder / 'ImageSets/Segmentation').glob('*.txt')
    return {path.stem: path.read_text(encoding='utf-8').splitlines() for path in found}


def test_the_layout_is_what_the_dataset_reads(pictures, tmp_path, run_here):
    shutil.copy(pictures / 'cat/0.png', pictures / 'dog/same as cat 0.PNG')
    shutil.copy(pictures / 'cat/2.png', pictures / 'cat/copy.png')
    (pictures / 'loose.jpg').write_bytes(b'')
    (pictures / 'dog/notes.txt').write_text('no picture')
    (pictures / 'fish').mkdir()
    done = run_here(TOOL, pictures, tmp_path / 'set', '--val-share', '0.2')
    assert done.returncode == 0, done.stderr
    assert '1 pictures have several tags, 2 files are copies of others' in done.stdout
    assert "left out, in no class folder: 1 (first: 'loose.jpg')" in done.stdout
    assert "no class, without a picture: 1 (first: 'fish')" in done.stdout
    assert 'pictures          28       7\n' in done.stdout
    assert 'dog               17       4\n' in done.stdout
    link = tmp_path / 'set/JPEGImages'
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    classes = ('background', 'cat', 'dog', 'großes Pferd')
    assert (tmp_path / 'set/classes.txt').read_text(encoding='utf-8').splitlines() == list(classes)
    tags = load_tags(tmp_path / 'set/tags.csv', classes[1:])
    assert len(tags) == 35
    assert list(tags['cat/0']) == [1, 1, 0]  # one picture of two folders
    assert list(tags['großes Pferd/more/1']) == [0, 0, 1]
    sizes = {}
    for split in ('train', 'val'):
        dataset = TaggedImageDataset(
            data_root=str(tmp_path / 'set'),
            data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
            ann_file=f'ImageSets/Segmentation/{split}.txt',
            tag_file='tags.csv',
            classes_file='classes.txt',
        )
        sizes[split] = [item['sample_id'] for item in dataset.load_data_list()]
    assert (len(sizes['train']), len(sizes['val'])) == (28, 7)
    assert not set(sizes['train']) & set(sizes['val'])
    assert Counter(name.split('/')[0] for name in sizes['val']) == {
        'cat': 2,
        'dog': 4,
        'großes Pferd': 1,
    }


def test_the_split_is_repeatable_by_seed(pictures, tmp_path, run_here):
    for name, seed in (('a', 0), ('b', 0), ('c', 1)):
        assert run_here(TOOL, pictures, tmp_path / name, '--seed', seed).returncode == 0
    assert lists(tmp_path / 'a') == lists(tmp_path / 'b')
    assert lists(tmp_path / 'a')['val'] != lists(tmp_path / 'c')['val']


def test_without_a_val(pictures, tmp_path, run_here):
    assert run_here(TOOL, pictures, tmp_path / 'set', '--val-share', 0).returncode == 0
    assert list(lists(tmp_path / 'set')) == ['train']
    assert len(lists(tmp_path / 'set')['train']) == 35
    assert run_here(TOOL, pictures, tmp_path / 'set').returncode == 0
    refused = run_here(TOOL, pictures, tmp_path / 'set', '--val-share', 0)
    assert refused.returncode == 2
    assert 'val.txt: is of another split' in refused.stderr


def test_pictures_without_a_class(pictures, tmp_path, run_here):
    (pictures / 'background').mkdir()
    Image.new('RGB', (8, 8)).save(pictures / 'background/empty.png')
    refused = run_here(TOOL, pictures, tmp_path / 'set')
    assert refused.returncode == 2
    assert 'add --no-class background' in refused.stderr
    done = run_here(TOOL, pictures, tmp_path / 'set', '--no-class', 'background')
    assert done.returncode == 0, done.stderr
    assert 'background/empty.png,\n' in (tmp_path / 'set/tags.csv').read_text(encoding='utf-8')
    assert 'background\ncat\ndog' in (tmp_path / 'set/classes.txt').read_text(encoding='utf-8')
    shutil.copy(pictures / 'cat/0.png', pictures / 'background/cat.png')
    torn = run_here(TOOL, pictures, tmp_path / 'set', '--no-class', 'background')
    assert "the same picture is in ['background', 'cat']" in torn.stderr
    with pytest.raises(ValueError, match="no folder 'none' with pictures"):
        read_class_folders(pictures, no_class='none')


def test_copies(pictures, tmp_path, run_here):
    done = run_here(TOOL, pictures, tmp_path / 'set', '--copy')
    assert done.returncode == 0, done.stderr
    folder = tmp_path / 'set/JPEGImages'
    assert not folder.is_symlink()
    assert (folder / 'cat/0.png').read_bytes() == (pictures / 'cat/0.png').read_bytes()
    assert len(list(folder.rglob('*.png'))) == 35


def test_a_copy_follows_its_picture(pictures, tmp_path, run_here):
    run_here(TOOL, pictures, tmp_path / 'set', '--copy')
    copy = tmp_path / 'set/JPEGImages/cat/0.png'
    other = next(path for path in copy.parents[1].rglob('*.png') if path != copy)
    kept = other.stat().st_mtime_ns
    Image.new('RGB', (9, 9), (1, 2, 3)).save(pictures / 'cat/0.png')
    assert run_here(TOOL, pictures, tmp_path / 'set', '--copy').returncode == 0
    assert copy.read_bytes() == (pictures / 'cat/0.png').read_bytes()
    assert other.stat().st_mtime_ns == kept


def test_started_again_it_says_the_same(pictures, tmp_path, run_here):
    first = run_here(TOOL, pictures, tmp_path / 'set')
    again = run_here(TOOL, pictures, tmp_path / 'set')
    assert (again.returncode, again.stdout) == (0, first.stdout)
    elsewhere = tmp_path / 'elsewhere'
    shutil.copytree(pictures, elsewhere)
    refused = run_here(TOOL, elsewhere, tmp_path / 'set')
    assert refused.returncode == 2
    assert 'is there already and leads elsewhere' in refused.stderr


def test_what_is_refused(pictures, tmp_path, run_here):
    inside = run_here(TOOL, pictures, pictures / 'set')
    assert inside.returncode == 2
    assert 'is inside of' in inside.stderr
    assert 'no such folder' in run_here(TOOL, tmp_path / 'none', tmp_path / 'set').stderr
    flat = run_here(TOOL, pictures / 'cat/more', tmp_path / 'set')
    assert 'expected a folder for each class with pictures in it, found 5 pictures' in flat.stderr
    whole = run_here(TOOL, pictures, tmp_path / 'set', '--val-share', 1)
    assert 'expected a share in [0, 1)' in whole.stderr
    (tmp_path / 'splits/train').mkdir(parents=True)
    shutil.copytree(pictures, tmp_path / 'splits/train/pictures')
    splits = run_here(TOOL, tmp_path / 'splits', tmp_path / 'set')
    assert "its folders ['train'] look like splits" in splits.stderr
    Image.new('RGB', (8, 8), 'red').save(pictures / 'cat/0.jpg')
    same = run_here(TOOL, pictures, tmp_path / 'set')
    assert "'cat/0.jpg' and 'cat/0.png' are different pictures of one name" in same.stderr
    assert not (tmp_path / 'set').exists()


@pytest.mark.parametrize('share', [0.0, 0.1, 0.25, 0.5])
def test_every_class_has_its_share(share):
    draw = np.random.default_rng(3)
    names = [f'class{k}' for k in range(6)]
    chances = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6)
    tags = {
        f'picture{k}': [name for name, chance in zip(names, chances) if draw.random() < chance]
        for k in range(2000)
    }
    train, val = stratified_split(tags, share, seed=5)
    assert sorted(train + val) == sorted(tags)
    assert abs(len(val) - share * 2000) <= 3
    everywhere = Counter(tag for row in tags.values() for tag in row)
    held = Counter(tag for name in val for tag in tags[name])
    for name in names:
        assert abs(held[name] - share * everywhere[name]) <= 3, name
    reversed_tags = dict(reversed(tags.items()))
    assert stratified_split(reversed_tags, share, seed=5) == (train, val)


def test_a_rare_class_stays_in_training():
    tags = {f'common{k}': ['common'] for k in range(10)}
    tags |= {'rare0': ['rare', 'common'], 'pair0': ['pair'], 'pair1': ['pair'], 'none': []}
    train, val = stratified_split(tags, 0.3)
    assert {'rare0', 'pair0'} <= set(train) or {'rare0', 'pair1'} <= set(train)
    assert len(val) == 4
    assert stratified_split({}, 0.3) == ([], [])
    with pytest.raises(ValueError, match='seed=-1'):
        stratified_split(tags, 0.3, seed=-1)
