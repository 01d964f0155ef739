import os
import shutil
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS
from PIL import Image
from torch.utils.data import DataLoader

from mmppc.datasets import SeededSampler, TaggedImageDataset
from mmppc.datasets.transforms.load_picture import LoadPicture
from mmppc.datasets.transforms.pil_color_jitter import PILColorJitter

PIPELINE = [
    dict(type='LoadPicture'),
    dict(type='LoadIndexMask'),
    dict(type='RandomResizeLong', low=20, high=40),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PILColorJitter'),
    dict(type='RandomCropPad', crop_size=24, pad_value=(127.0, 127.0, 127.0)),
    dict(type='PackTaggedInputs'),
]


@pytest.fixture
def root(tmp_path):
    generator = np.random.default_rng(0)
    for name in ('pictures', 'masks'):
        (tmp_path / name).mkdir()
    for number in range(4):
        picture = generator.integers(0, 256, (30, 26 + number, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / 'pictures' / f'{number}.png')
        if number != 2:  # one without a mask
            mask = Image.fromarray(picture[..., 0] % 3, mode='P')
            mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
            mask.save(tmp_path / 'masks' / f'{number}.png')
    tags = [f'{number},{("cat", "dog")[number % 2]}' for number in range(4)]
    (tmp_path / 'tags.csv').write_text('\n'.join(['image,tags', *tags]) + '\n')
    return tmp_path


def load(root, count, cache=None, pipeline=PIPELINE, num_workers=0, seed=0, draws=2):
    dataset = TaggedImageDataset(
        data_root=str(root),
        data_prefix=dict(img_path='pictures', seg_map_path='masks'),
        tag_file='tags.csv',
        metainfo=dict(classes=('background', 'cat', 'dog')),
        pipeline=pipeline,
    )
    sampler = SeededSampler(dataset, seed=seed, draws=draws, cache=cache)
    loader = DataLoader(dataset, 1, sampler=sampler, num_workers=num_workers, collate_fn=list)
    return [batch[0] for batch in islice(iter(loader), count)]


@pytest.fixture
def loads(monkeypatch):
    """How often a picture was decoded, by file name."""
    counts = Counter()
    plain = LoadPicture.transform

    def counting(self, results):
        counts[os.path.basename(results['img_path'])] += 1
        return plain(self, results)

    monkeypatch.setattr(LoadPicture, 'transform', counting)
    return counts


def assert_same(samples, others):
    assert len(samples) == len(others)
    for sample, other in zip(samples, others):
        assert set(sample) == set(other) == {'inputs', 'data_samples'}
        assert sample['inputs'].dtype == other['inputs'].dtype
        assert torch.equal(sample['inputs'], other['inputs'])
        one, two = sample['data_samples'], other['data_samples']
        assert set(one.keys()) == set(two.keys())
        assert one.metainfo == two.metainfo
        for name, value in one.metainfo.items():
            assert type(value) is type(two.metainfo[name]), name
        for name in ('gt_tags', 'gt_sem_seg'):
            if name not in one:
                continue
            for key, value in one.get(name).items():
                other_value = two.get(name).get(key)
                assert value.dtype == other_value.dtype
                assert torch.equal(value, other_value)


def test_samples_are_those_without_a_cache(root, loads):
    plain = load(root, 24)
    loads.clear()
    cache = dict(path=root / 'c.sqlite')
    first = load(root, 24, cache)
    assert loads == {f'{number}.png': 2 for number in range(4)}
    second = load(root, 24, cache)
    assert sum(loads.values()) == 8
    assert_same(first, plain)
    assert_same(second, plain)
    assert sum('gt_sem_seg' in sample['data_samples'] for sample in second) == 18
    assert {sample['data_samples'].flip for sample in second} == {True, False}
    assert os.path.getsize(root / 'c.sqlite') < 8 * 24 * 24 * 3 * 4 + 30000
    # Workers and another order read the same file.
    assert_same(load(root, 9, cache, num_workers=2), plain[:9])
    assert_same(load(root, 24, cache, seed=5), load(root, 24, seed=5))


def test_what_is_no_byte_is_kept_exactly(root):
    pipeline = [*PIPELINE[:5], dict(type='RandomCropPad', crop_size=48), PIPELINE[-1]]
    cache = dict(path=root / 'c.sqlite')
    plain = load(root, 8, pipeline=pipeline)
    assert any(float(s['inputs'].frac().max()) > 0 for s in plain)
    for _ in range(2):
        assert_same(load(root, 8, cache, pipeline), plain)


def test_other_settings_draws_and_pictures_are_other_entries(root, loads):
    cache = dict(path=root / 'c.sqlite')
    load(root, 8, cache)
    loads.clear()
    other = [*PIPELINE[:4], dict(type='PILColorJitter', hue=0.2), *PIPELINE[5:]]
    assert_same(load(root, 8, cache, other), load(root, 8, pipeline=other))
    assert sum(loads.values()) == 16
    loads.clear()
    assert_same(load(root, 12, cache, draws=3), load(root, 12, draws=3))
    assert sum(loads.values()) == 4 + 12  # only the third draw is new
    loads.clear()
    shutil.copy(root / 'pictures' / '1.png', root / 'pictures' / '0.png')
    shutil.copy(root / 'masks' / '1.png', root / 'masks' / '0.png')
    found = load(root, 8, cache)
    assert loads == {'0.png': 2}
    assert_same(found, load(root, 8))


def test_a_full_cache_is_harmless(root):
    cache = dict(path=root / 'c.sqlite', max_gb=6e-5)
    for _ in range(2):
        assert_same(load(root, 8, cache), load(root, 8))


@TRANSFORMS.register_module(force=True)
class OddTransform(BaseTransform):
    def __init__(self, adds=None):
        self.adds = adds

    def transform(self, results):
        if self.adds:
            results['odd'] = {'number': np.float32(0.5), 'set': {1}}[self.adds]
        else:
            results.pop('flip_direction', None)
        results['count'] = (np.int64(3), [1, {'a': None}])
        return results


def test_a_transform_without_repr_is_told_by_its_attributes(root):
    cache = dict(path=root / 'c.sqlite')
    for adds in (None, 'number'):
        pipeline = [*PIPELINE[:-1], dict(type='OddTransform', adds=adds), PIPELINE[-1]]
        pipeline[-1] = dict(type='PackTaggedInputs', meta_keys=('odd', 'count', 'flip_direction'))
        plain = load(root, 8, pipeline=pipeline)
        for _ in range(2):
            found = load(root, 8, cache, pipeline)
            assert_same(found, plain)
            assert all(('odd' in sample['data_samples']) == bool(adds) for sample in found)
            assert all('flip_direction' not in s['data_samples'] for s in found if not adds)


def test_what_cannot_be_kept_is_refused(root, monkeypatch):
    cache = dict(path=root / 'c.sqlite')
    pipeline = [*PIPELINE[:-1], dict(type='OddTransform', adds='set'), PIPELINE[-1]]
    with pytest.raises(ValueError, match="cannot store 'odd', a set"):
        load(root, 1, cache, pipeline)
    with pytest.raises(ValueError, match='last transform packs the sample'):
        load(root, 1, cache, PIPELINE[:-1])
    monkeypatch.setattr(PILColorJitter, '__repr__', lambda self: f'J({object()})')
    with pytest.raises(ValueError, match='PILColorJitter prints'):
        load(root, 1, cache)
    with pytest.raises(ValueError, match='cache needs draws'):
        load(root, 1, cache, draws=None)
