"""A small tagged folder in VOC's layout, and writers for awkward files."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmppc.datasets import TaggedImageDataset

CLASSES = ('background', 'cat', 'dog', 'cow')
# Spaces, an umlaut, a subfolder, a dot in the name, three suffixes.
PICTURES = ('Käse und Brot.jpg', 'set a/two.PNG', 'v1.2.jpeg')
TAGS = {'Käse und Brot': (1, 0, 1), 'set a/two': (0, 0, 0), 'v1.2': (0, 1, 0)}


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmseg')


def write_picture(path, size=(20, 16), seed=0):
    """A random RGB picture of (width, height) ``size``."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(256, size=(size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return values


def write_mask(path, values):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(values, dtype=np.uint8))
    image.putpalette(bytes(range(256)) * 3)
    image.save(path)


@pytest.fixture
def root(tmp_path):
    """Three pictures, their tags, and masks of two of them."""
    for seed, name in enumerate(PICTURES):
        write_picture(tmp_path / 'JPEGImages' / name, seed=seed)
    for name in list(TAGS)[:2]:
        write_mask(tmp_path / 'SegmentationClass' / f'{name}.png', np.full((16, 20), 3))
    (tmp_path / 'classes.txt').write_text('\n'.join(CLASSES) + '\n', encoding='utf-8')
    (tmp_path / 'tags.csv').write_text(
        'image,tags\nKäse und Brot,cat cow\nset a/two.PNG,\nv1.2.jpeg,dog\n', encoding='utf-8'
    )
    return tmp_path


@pytest.fixture
def make_dataset(root):
    def make(**kwargs):
        arguments = {
            'data_root': str(root),
            'data_prefix': {'img_path': 'JPEGImages'},
            'tag_file': 'tags.csv',
            'classes_file': 'classes.txt',
        }
        return TaggedImageDataset(**{**arguments, **kwargs})

    return make
