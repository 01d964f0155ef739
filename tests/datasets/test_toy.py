import csv
import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from mmppc.datasets import TaggedImageDataset, draw_toy_set
from mmppc.datasets.names import read_classes, read_lines
from mmppc.datasets.toy_drawing import STYLES, draw_picture
from mmppc.datasets.toy_saliency import draw_saliency
from mmppc.datasets.toy_shapes import TOY_CLASSES


def digest(root):
    """Hash of all arrays and texts of a set."""
    state = hashlib.sha256()
    for path in sorted(path for path in root.rglob('*') if path.is_file()):
        state.update(path.relative_to(root).as_posix().encode())
        if path.suffix in ('.jpg', '.png'):
            state.update(np.asarray(Image.open(path)).tobytes())
        else:
            state.update(path.read_bytes())
    return state.hexdigest()


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    return draw_toy_set(tmp_path_factory.mktemp('toy') / 'set', num_train=12, num_val=6)


def test_same_parameters_same_set(toy, tmp_path):
    again = draw_toy_set(tmp_path / 'again', num_train=12, num_val=6)
    assert digest(again) == digest(toy)
    other = draw_toy_set(tmp_path / 'other', num_train=2, num_val=1, seed=1)
    picture = 'JPEGImages/train_00000.jpg'
    assert (other / picture).read_bytes() != (toy / picture).read_bytes()


def test_a_picture_does_not_depend_on_how_many_are_drawn(toy, tmp_path):
    few = draw_toy_set(tmp_path / 'few', num_train=2, num_val=1)
    for name in ('train_00001', 'val_00000'):
        path = f'JPEGImages/{name}.jpg'
        assert (few / path).read_bytes() == (toy / path).read_bytes()


def test_layout_reads_as_a_dataset(toy):
    assert read_classes(toy / 'classes.txt') == TOY_CLASSES
    splits = {s: read_lines(toy / f'ImageSets/Segmentation/{s}.txt') for s in ('train', 'val')}
    assert [len(names) for names in splits.values()] == [12, 6]
    assert not set(splits['train']) & set(splits['val'])
    for split in splits:
        dataset = TaggedImageDataset(
            data_root=str(toy),
            data_prefix={'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'},
            ann_file=f'ImageSets/Segmentation/{split}.txt',
            tag_file='tags.csv',
            classes_file='classes.txt',
            require_masks=True,
        )
        assert (np.sum([sample['tags'] for sample in dataset], axis=0) > 0).all()


def test_masks_hold_exactly_the_tags(toy):
    with open(toy / 'tags.csv', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    for row in rows:
        mask = Image.open(toy / f'SegmentationClass/{row["image"]}.png')
        picture = Image.open(toy / f'JPEGImages/{row["image"]}.jpg')
        assert mask.mode == 'P'
        assert picture.size == mask.size
        assert all(104 <= side <= 144 for side in mask.size)
        values = set(np.unique(np.asarray(mask)).tolist())
        assert {TOY_CLASSES[v] for v in values - {0, 255}} == set(row['tags'].split(';'))
        assert {0, 255} < values
        assert np.mean(np.asarray(mask) == 255) < 0.12


def test_first_classes_come_in_turn_and_objects_are_not_tiny():
    for index in range(12):
        picture, mask, things = draw_picture(index, 128, np.random.default_rng([7, index]))
        label = 1 + index % 6
        assert picture.dtype == mask.dtype == np.uint8
        assert picture.shape[:2] == mask.shape == things.shape
        # The objects and their classes cover the same pixels.
        assert np.array_equal(((things > 0) & (things < 255))[mask != 255], (mask > 0)[mask != 255])
        assert np.sum(mask == label) > 100
        assert picture.std() > 10


def test_parts_have_large_bodies_and_scenes_that_tell_the_class():
    shares, green = {}, []
    for style in ('toy', 'parts'):
        drawn = [
            draw_picture(index, 96, np.random.default_rng([3, index]), STYLES[style])
            for index in range(60)
        ]
        shares[style] = np.mean([np.mean(mask > 0) for _, mask, _ in drawn])
        labels = [len(np.setdiff1d(mask, (0, 255))) for _, mask, _ in drawn]
        # Cows, every sixth from the third on, stand on a meadow: its corner is more green than red.
        cows = [picture[:8, :8].reshape(-1, 3).mean(axis=0) for picture, _, _ in drawn[2::6]]
        green.append(np.mean([corner[1] > corner[0] > corner[2] for corner in cows]))
        assert max(labels) == (3 if style == 'toy' else 2)
    assert shares['parts'] > 1.1 * shares['toy']
    assert green[1] > green[0]


def test_saliency_knows_no_classes_and_errs(toy):
    overlaps = []
    for path in sorted((toy / 'Saliency').iterdir()):
        saliency = np.asarray(Image.open(path))
        mask = np.asarray(Image.open(toy / 'SegmentationClass' / path.name))
        assert (saliency.shape, saliency.dtype) == (mask.shape, np.uint8)
        salient, objects = saliency > 127, (mask > 0) & (mask < 255)
        overlaps.append(np.sum(salient & objects) / np.sum(salient | objects))
        assert len(np.unique(saliency)) > 20  # soft
    assert len(overlaps) == 18
    assert 0.6 < np.mean(overlaps) < 0.97


def test_saliency_misses_objects_and_takes_occluders_for_some():
    things = np.zeros((120, 160), np.uint8)
    things[20:60, 20:60], things[70:110, 90:130], things[:, 145:] = 1, 2, 255
    maps = [draw_saliency(things, np.random.default_rng(seed)) for seed in range(200)]
    assert np.array_equal(maps[3], draw_saliency(things, np.random.default_rng(3)))
    found = {number: [m[things == number].mean() > 100 for m in maps] for number in (0, 1, 2, 255)}
    assert not any(found[0])
    assert all(0.8 < np.mean(found[number]) < 0.98 for number in (1, 2))
    assert 0.15 < np.mean(found[255]) < 0.45
    assert draw_saliency(np.zeros((48, 50), np.uint8), np.random.default_rng(0)).max() < 40


def test_pictures_have_random_numbers_of_their_own(toy):
    """What else is drawn of a picture, as its saliency map, does not change the picture."""
    picture, mask, _ = draw_picture(1, 128, np.random.default_rng([0, 0, 1]))
    assert np.array_equal(np.asarray(Image.open(toy / 'SegmentationClass/train_00001.png')), mask)
    stored = np.asarray(Image.open(toy / 'JPEGImages/train_00001.jpg')).astype(int)
    assert np.abs(stored - picture).mean() < 6  # JPEG's loss


def test_a_set_that_is_there_is_kept(toy):
    before = digest(toy)
    marker = (toy / 'JPEGImages/train_00000.jpg').stat().st_mtime_ns
    assert draw_toy_set(toy, num_train=12, num_val=6) == toy
    assert digest(toy) == before
    assert (toy / 'JPEGImages/train_00000.jpg').stat().st_mtime_ns == marker
    assert [path.name for path in toy.parent.iterdir()] == [toy.name]


def test_other_parameters_and_foreign_folders_are_refused(toy, tmp_path):
    with pytest.raises(ValueError, match=r"set: holds a toy set drawn with .*'num_train': 12.*13"):
        draw_toy_set(toy, num_train=13, num_val=6)
    (tmp_path / 'thesis.txt').touch()
    with pytest.raises(FileExistsError, match='is there already and not a toy set'):
        draw_toy_set(tmp_path)
    with pytest.raises(FileExistsError, match='is there already and not a toy set'):
        draw_toy_set(tmp_path / 'thesis.txt')
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.txt']
    with pytest.raises(ValueError, match='expected num_train, num_val >= 1'):
        draw_toy_set(tmp_path / 'new', num_val=0)


def test_styles_are_sets_of_their_own(toy, tmp_path):
    with pytest.raises(ValueError, match="style='cars', expected one of"):
        draw_toy_set(tmp_path / 'cars', 1, 1, style='cars')
    with pytest.raises(ValueError, match="'style': 'parts'"):
        draw_toy_set(toy, 12, 6, style='parts')
    parts = draw_toy_set(tmp_path / 'parts', 1, 1, 64, style='parts')
    before = digest(parts)
    assert digest(draw_toy_set(parts, 1, 1, 64, style='parts')) == before


def test_an_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    def stop(index, size, rng, style):
        raise KeyboardInterrupt

    monkeypatch.setattr('mmppc.datasets.toy.draw_picture', stop)
    with pytest.raises(KeyboardInterrupt):
        draw_toy_set(tmp_path / 'set')
    assert list(tmp_path.iterdir()) == []


def test_a_faster_process_wins(tmp_path, monkeypatch):
    target = tmp_path / 'set'
    other = draw_toy_set(tmp_path / 'other', num_train=1, num_val=1)

    def draw(index, size, rng, style):
        if other.exists():
            other.rename(target)  # another process finishes in the meantime
        return draw_picture(index, size, rng, style)

    monkeypatch.setattr('mmppc.datasets.toy.draw_picture', draw)
    assert draw_toy_set(target, num_train=1, num_val=1) == target
    assert [path.name for path in tmp_path.iterdir()] == ['set']
    assert json.loads((target / 'toy_set.json').read_text())['num_train'] == 1
