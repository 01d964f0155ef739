"""Confident labels of PSA and IRN: areas known by hand, limit cases, settings on record."""

import json

import numpy as np
import pytest
from mmengine.config import ConfigDict
from PIL import Image

from mmppc.functional.dense_crf import crf_from_labels, crf_from_probabilities, crf_marginals
from mmppc.refinement import PictureRecord, make_confident_labels
from mmppc.refinement.masks import seed_labels
from mmppc.storage import (
    load_confident_maps,
    load_mask,
    load_seed,
    read_picture,
    save_mask,
    save_seed,
)

pytest.importorskip('pydensecrf')

PALETTE = tuple((60 * number, 10, 200 - 40 * number) for number in range(5))
WIDTH = 12


class World:
    """Pictures of three bands, each of one colour: background, unsure, class 2."""

    def __init__(self, folder):
        self.folder = folder
        self.records = []

    def add(self, name, *, size=(20, 3 * WIDTH), classes=(2,), mode='RGB', truth=True, weights='w'):
        width = size[1]
        band = np.minimum(np.arange(width) * 3 // max(width, 3), 2)
        band = np.broadcast_to(band, size)
        grey = np.array([10, 120, 240], np.uint8)[band]
        picture = Image.fromarray(np.stack([grey, 255 - grey, grey // 2], axis=-1)).convert(mode)
        path = self.folder / f'pictures/{name}.tif'
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
        scores = np.zeros((len(classes), *size), np.float32)
        if len(classes):
            scores[list(classes).index(2)] = np.array([0, 0.15, 0.95])[band]
        meta = {'weights': weights} if weights else {}
        save_seed(
            self.folder / f'seeds/{name}.npz', scores, list(classes), num_classes=5, meta=meta
        )
        mask = np.array([0, 2, 2], np.uint8)[band].copy()
        mask[:2] = 255
        save_mask(self.folder / f'truth/{name}.png', mask, PALETTE)
        truth = str(self.folder / f'truth/{name}.png') if truth else None
        self.records.append(PictureRecord(name, str(path), truth))
        return self.records[-1]

    def make(self, kind, **change):
        given = {
            'seed_dir': self.folder / 'seeds',
            'label_dir': self.folder / kind,
            'num_classes': 5,
            'palette': PALETTE,
            'workers': 0,
            **change,
        }
        return make_confident_labels(self.records, kind=kind, **given)

    def seed(self, record):
        return load_seed(self.folder / f'seeds/{record.sample_id}.npz')


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_irn_labels_of_a_picture_known_by_hand(world, tmp_path):
    world.add('set/a')
    report = world.make('irn')
    expected = np.repeat([0, 255, 2], WIDTH)
    label = load_mask(tmp_path / 'irn/set/a.png', 5)
    assert (label == expected).all()
    with Image.open(tmp_path / 'irn/set/a.png') as picture:
        assert picture.mode == 'P'
    assert report.pop('picture_list')
    assert report == {
        'kind': 'irn',
        'fg_threshold': 0.3,
        'bg_threshold': 0.05,
        'crf': 'irn',
        'num_classes': 5,
        'weights': 'w',
        'seed_settings': None,
        'pictures': 1,
        'evaluated': 1,
        'written': 1,
        'background': 33.33,
        'foreground': 33.33,
        'unsure': 33.33,
        'accuracy': 100.0,
        'background_accuracy': 100.0,
        'foreground_accuracy': 100.0,
        'complete': True,
    }


@pytest.mark.parametrize('crf', ['psa', 'ppc_affinity'])
def test_psa_labels_of_a_picture_known_by_hand(world, tmp_path, crf):
    world.add('a', classes=(2, 4))
    report = world.make('psa', crf=crf)
    maps = load_confident_maps(tmp_path / 'psa/a.npz')
    assert maps.classes.tolist() == [0, 2, 4]
    assert maps.num_classes == 5
    assert maps.meta == {'sample_id': 'a', 'weights': 'w'}
    # The middle band is background by (1 - 0.15)^4 = 0.52, and class 2 by (1 - 0.15)^24 = 0.02.
    assert (maps.low.argmax(axis=0) == np.repeat([0, 0, 1], WIDTH)).all()
    assert (maps.high.argmax(axis=0) == np.repeat([0, 1, 1], WIDTH)).all()
    figures = {name: report[name] for name in ('background', 'foreground', 'unsure', 'accuracy')}
    assert figures == {
        'background': 33.33, 'foreground': 33.33, 'unsure': 33.33, 'accuracy': 100.0
    }  # fmt: skip
    assert (report['low'], report['high'], report['crf']) == ({'alpha': 4}, {'alpha': 24}, crf)


def noisy(world, classes=(1, 2, 4)):
    """A picture and a seed of noise in which class 1 wins nowhere."""
    record = world.add('noise', classes=classes)
    draw = np.random.default_rng(0)
    size = (20, 3 * WIDTH)
    Image.fromarray(draw.integers(0, 255, (*size, 3), np.uint8)).save(record.img_path)
    scores = draw.random((len(classes), *size)) ** 3
    scores[0] *= 0.01
    save_seed(
        world.folder / 'seeds/noise.npz', scores, classes, num_classes=5, meta={'weights': 'w'}
    )
    return record


def test_psa_maps_are_the_marginals(world, tmp_path):
    record = noisy(world)
    seed, image = world.seed(record), read_picture(record.img_path)
    settings = {'low': {'alpha': 2}, 'high': {'constant': 0.1}}
    backgrounds = {'low': (1 - seed.scores.max(axis=0)) ** 2, 'high': np.full((20, 36), 0.1)}
    world.make('psa', **settings, crf='psa', label_dir=tmp_path / 'soft')
    world.make('psa', **settings, label_dir=tmp_path / 'hard')
    soft, hard = (load_confident_maps(tmp_path / name / 'noise.npz') for name in ('soft', 'hard'))
    for name, background in backgrounds.items():
        scores = np.concatenate([background[None], seed.scores]).astype(np.float32)
        expected = crf_from_probabilities(image, scores, 'psa')
        np.testing.assert_allclose(getattr(soft, name), expected, atol=0.51 / 255)
        labels = soft.classes[scores.argmax(axis=0)]
        found = crf_marginals(image, labels, 5, 'ppc_affinity')
        assert found.labels.tolist() == [0, 2, 4]
        share = (
            found.absent / found.num_absent
        )  # class 1 wins nowhere, like class 3, which is no tag
        expected = [found.probabilities[0], share, *found.probabilities[1:]]
        np.testing.assert_allclose(getattr(hard, name), expected, atol=0.51 / 255)
    assert not np.array_equal(soft.low, hard.low)


def test_irn_maps_are_refined_among_background_and_tags(world, tmp_path):
    record = noisy(world)
    seed, image = world.seed(record), read_picture(record.img_path)
    world.make('irn', fg_threshold=0.6, bg_threshold=0.2)
    found = load_mask(tmp_path / 'irn/noise.png', 5)
    # Four possible labels as among all labels of a data set that has no more than the tagged ones.
    to_local = np.array([0, 1, 2, 0, 3])
    refined = [
        np.array([0, 1, 2, 4])[
            crf_from_labels(image, to_local[seed_labels(seed, value)], 4, 'seed')
        ]
        for value in (0.6, 0.2)
    ]
    expected = np.where(refined[0] > 0, refined[0], np.where(refined[1] > 0, 255, 0))
    assert {0, 2, 4, 255} <= set(np.unique(expected).tolist())
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('mode', ['L', 'CMYK'])
def test_pictures_of_other_colours(world, tmp_path, mode):
    world.add('a', mode=mode)
    world.make('irn')
    assert (load_mask(tmp_path / 'irn/a.png') == np.repeat([0, 255, 2], WIDTH)).all()
    assert world.make('psa')['unsure'] == 33.33


@pytest.mark.parametrize('size', [(1, 1), (7, 300), (300, 2)])
def test_sizes(world, tmp_path, size):
    world.add('a', size=size)
    for kind in ('irn', 'psa'):
        report = world.make(kind)
        shares = [report[name] for name in ('background', 'foreground', 'unsure')]
        assert sum(shares) == pytest.approx(100, abs=0.02)
    assert load_mask(tmp_path / 'irn/a.png').shape == size
    assert load_confident_maps(tmp_path / 'psa/a.npz').size == size


def test_a_picture_without_tag_is_background(world, tmp_path):
    record = world.add('a', classes=(), truth=False)
    (tmp_path / 'pictures/a.tif').unlink()  # it is not even looked at
    for kind in ('irn', 'psa'):
        report = world.make(kind)
        assert report['background'] == 100
        assert report['evaluated'] == 0
        assert report['accuracy'] is report['foreground_accuracy'] is None
    assert not load_mask(tmp_path / 'irn/a.png').any()
    maps = load_confident_maps(tmp_path / 'psa/a.npz')
    assert maps.low.shape == maps.high.shape == (1, 20, 36)
    assert (maps.low == 1).all()
    assert (maps.high == 1).all()
    assert maps.classes.tolist() == [0]
    assert world.seed(record).scores.shape == (0, 20, 36)


def test_figures_are_of_all_pictures_and_known_truth(world, tmp_path):
    world.add('a')
    world.add('b', truth=False)
    record = world.add('c')
    # Wrong in half of the rows that count: ten of 18 right ones are left in either band.
    mask = np.zeros((20, 36), np.uint8)
    mask[:2] = 255
    mask[:, -WIDTH:][10:] = 2
    mask[10:, :WIDTH] = 3
    save_mask(record.truth_path, mask, PALETTE)
    report = world.make('irn', workers=1)
    assert (report['pictures'], report['evaluated'], report['unsure']) == (3, 2, 33.33)
    assert report['foreground_accuracy'] == round(100 * (18 + 10) / 36, 2)
    assert report['background_accuracy'] == round(100 * (18 + 8) / 36, 2)
    assert report['accuracy'] == round(100 * (28 + 26) / 72, 2)


def test_continues_and_keeps_its_figures(world, tmp_path):
    for name in 'abc':
        world.add(name)
    first = world.make('psa')
    stamp = (tmp_path / 'psa/a.npz').stat().st_mtime_ns
    (tmp_path / 'psa/b.npz').unlink()
    assert world.make('psa') == {**first, 'written': 1}
    assert world.make('psa') == {**first, 'written': 0}
    assert (tmp_path / 'psa/a.npz').stat().st_mtime_ns == stamp
    world.records.pop()
    second = world.make('psa')
    assert (second['written'], second['pictures']) == (0, 2)
    assert second['picture_list'] != first['picture_list']


def test_labels_of_other_settings_or_seeds_never_mix(world, tmp_path):
    world.add('a')
    world.make('psa')
    with pytest.raises(
        FileExistsError, match=r"field low: .*with \{'alpha': 4\}, not \{'alpha': 8\}"
    ):
        world.make('psa', low={'alpha': 8})
    with pytest.raises(FileExistsError, match="field kind: the labels there were made with 'psa'"):
        world.make('irn', label_dir=tmp_path / 'psa')
    world.records.clear()
    world.add('a', weights='other')
    with pytest.raises(FileExistsError, match=r"field weights: .* made with 'w', not 'other'"):
        world.make('psa')
    assert world.make('psa', overwrite=True)['weights'] == 'other'
    world.add('b', weights='w')
    message = r"b\.npz: field meta\.weights: found 'w', expected 'other' as in the first seed"
    with pytest.raises(ValueError, match=message):
        world.make('psa')
    assert not json.loads((tmp_path / 'psa/labels.json').read_text())['complete']


def test_settings_from_a_config(world):
    world.add('a')
    first = world.make('psa')
    inherited = ConfigDict(alpha=4, constant=None)  # takes back the constant of a base config
    assert world.make('psa', low=inherited) == {**first, 'written': 0}


def test_seeds_of_unknown_origin(world):
    world.add('a', weights=None)
    assert world.make('irn')['weights'] is None


@pytest.mark.parametrize(
    ('kind', 'change', 'message'),
    [
        ('eps', {}, "kind='eps', expected one of 'psa', 'irn'"),
        (
            'irn',
            {'low': {'alpha': 4}},
            r"unknown settings \['low'\], expected some of \['fg_thresh",
        ),
        ('psa', {'weights': 'x'}, r"unknown settings \['weights'\]"),
        ('psa', {'num_classes': 4}, 'num_classes=4, 5 colours'),
        ('psa', {'low': {'beta': 4}}, r'low=.*expected dict\(alpha=\.\.\.\) or dict\(constant='),
        ('psa', {'high': {'alpha': -1}}, 'high=.*alpha=-1'),
        ('psa', {'low': 4}, 'low=4: expected dict'),
        ('psa', {'low': {'alpha': 32}}, r"low=\{'alpha': 32\} leaves less background than high="),
        ('psa', {'crf': 'none'}, "CRF preset 'none'"),
        ('irn', {'crf': 'psa'}, "crf='psa' takes scores"),
        ('irn', {'fg_threshold': 0.01}, 'bg_threshold=0.05, fg_threshold=0.01: expected 0 <= bg'),
    ],
)
def test_refused(world, tmp_path, kind, change, message):
    world.add('a')
    with pytest.raises(ValueError, match=message):
        world.make(kind, **change)
    assert not (tmp_path / kind).exists()


def test_missing_and_wrong_files(world, tmp_path):
    record = world.add('a')
    Image.new('RGB', (3, 3)).save(record.img_path)
    with pytest.raises(
        ValueError, match=r'a: .*a\.tif: picture of size \(3, 3\), expected .* \(20, 36\)'
    ):
        world.make('irn')
    world.records.clear()
    record = world.add('a')
    save_mask(record.truth_path, np.zeros((2, 2), int), PALETTE)
    with pytest.raises(ValueError, match=r'a\.png: truth of size \(2, 2\), labels of size \(20, '):
        world.make('irn')
    (tmp_path / 'seeds/a.npz').unlink()
    with pytest.raises(FileNotFoundError, match='no seed for 1 of 1 pictures'):
        world.make('psa')
