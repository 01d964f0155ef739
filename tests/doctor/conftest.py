"""A small healthy folder in VOC's layout, and writers for what can be wrong with it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmppc.doctor import examine, folder_layout

CLASSES = ('background', 'cat', 'dog', 'cow')
WIDTH, HEIGHT = 80, 72


class Folder:
    """36 pictures to train on and 9 to measure on, each of one class, with a mask that shows it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tags: dict[str, list[str]] = {}
        self.lists = {'train': [f't{number:02}' for number in range(36)]}
        self.lists['val'] = [f'v{number:02}' for number in range(9)]
        for number, name in enumerate([*self.lists['train'], *self.lists['val']]):
            self.tags[name] = [CLASSES[1 + number % 3]]
            self.write_picture(f'{name}.jpg', seed=number)
            self.write_mask(f'{name}.png', self.mask(1 + number % 3))
        self.write_texts()

    @staticmethod
    def mask(*values: int) -> np.ndarray:
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        for place, value in enumerate(values):
            mask[10:40, 10 + 20 * place : 25 + 20 * place] = value
        mask[0, :40] = 255
        return mask

    def picture(self, name: str) -> Path:
        return self.root / 'JPEGImages' / name

    def mask_file(self, name: str) -> Path:
        return self.root / 'SegmentationClass' / name

    def write_picture(self, name, seed=0, size=(WIDTH, HEIGHT), mode='RGB', **options) -> None:
        path = self.picture(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(seed).integers(
            256, size=(size[1], size[0], 3), dtype=np.uint8
        )
        Image.fromarray(values).convert(mode).save(path, **options)

    def write_mask(self, name, values, **options) -> None:
        path = self.mask_file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.asarray(values, np.uint8))
        image.putpalette(bytes(range(256)) * 3)
        image.save(path, **options)

    def write_texts(self) -> None:
        """Write classes, tags and lists as they are in this object."""
        (self.root / 'classes.txt').write_text('\n'.join(CLASSES) + '\n', encoding='utf-8')
        with open(self.root / 'tags.csv', 'w', encoding='utf-8', newline='') as file:
            rows = [
                ('image', 'tags'),
                *((name, ' '.join(tags)) for name, tags in self.tags.items()),
            ]
            csv.writer(file).writerows(rows)
        folder = self.root / 'ImageSets' / 'Segmentation'
        folder.mkdir(parents=True, exist_ok=True)
        for split, names in self.lists.items():
            (folder / f'{split}.txt').write_text('\n'.join(names) + '\n', encoding='utf-8')

    def remove_lists(self) -> None:
        for split in self.lists:
            (self.root / 'ImageSets' / 'Segmentation' / f'{split}.txt').unlink()

    def examine(self, work_dir=None, **given) -> list:
        layout = folder_layout(self.root, {key: Path(value) for key, value in given.items()})
        return examine(layout, work_dir or self.root / 'work', workers=0)


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / 'set')


@pytest.fixture
def find(folder):
    """Examine the folder: the findings that are no 'ok' and 'skipped', as (check, status) -> finding."""

    def run(**given):
        found = folder.examine(**given)
        return {(one.check, one.status): one for one in found if one.status in ('warning', 'error')}

    return run
