"""The toy set: a small VOC-like data set drawn by code, the same for the same parameters."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from mmppc.datasets.tags import write_tags_csv
from mmppc.datasets.toy_drawing import IGNORE, STYLES, draw_picture
from mmppc.datasets.toy_saliency import draw_saliency
from mmppc.datasets.toy_shapes import TOY_CLASSES
from mmppc.datasets.voc import voc_palette

_MARKER = 'toy_set.json'
_VERSION = 2


def draw_toy_set(
    root: str | os.PathLike,
    num_train: int = 300,
    num_val: int = 100,
    size: int = 128,
    seed: int = 0,
    style: str = 'toy',
) -> Path:
    """Write the toy set in VOC's layout, unless it is there already.

    ``JPEGImages/*.jpg``, ``SegmentationClass/*.png`` (palette, border 255), ``Saliency/*.png`` (grey, as a detector's),
    ``ImageSets/Segmentation/{train,val}.txt``, ``tags.csv``, ``classes.txt`` (background first) and
    ``toy_set.json`` with the parameters. The folder appears whole or not at all, also when
    several processes draw it at once.

    Args:
        root: Folder to write; must be missing, empty, or hold this very set.
        num_train: Pictures of the train split.
        num_val: Pictures of the val split, drawn from other random numbers.
        size: Typical side of a picture in pixels, at least 48.
        seed: Decides every picture. Picture k of a split does not depend on how many are drawn.
        style: One of :data:`mmppc.datasets.toy_drawing.STYLES`.

    Returns:
        ``root`` as a path.

    Raises:
        ValueError: If a count is below 1, the size below 48, the style unknown, or the folder holds a toy set of
            other parameters.
        FileExistsError: If the folder holds anything else, or ``root`` is a file.
    """
    if num_train < 1 or num_val < 1 or size < 48 or seed < 0:
        raise ValueError(
            'toy set: expected num_train, num_val >= 1, size >= 48 and seed >= 0, '
            f'found {num_train}, {num_val}, {size}, {seed}'
        )
    if style not in STYLES:
        raise ValueError(f'toy set: style={style!r}, expected one of {sorted(STYLES)}')
    parameters: dict[str, int | str] = {
        'version': _VERSION,
        'num_train': num_train,
        'num_val': num_val,
        'size': size,
        'seed': seed,
    }
    if style != 'toy':
        parameters['style'] = style
    folder = Path(root)
    if _is_drawn(folder, parameters):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f'.{folder.name}-', dir=folder.parent))
    try:
        _write_set(partial, parameters)
        partial.chmod(0o755)  # mkdtemp's is private
        try:
            # Replaces an empty folder; fails when another process was faster.
            partial.rename(folder)
        except OSError:
            if not _is_drawn(folder, parameters):
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _is_drawn(folder: Path, parameters: dict[str, int | str]) -> bool:
    marker = folder / _MARKER
    if marker.is_file():
        found = json.loads(marker.read_text(encoding='utf-8'))
        if found != parameters:
            raise ValueError(
                f'{folder}: holds a toy set drawn with {found}, expected {parameters}; '
                'choose another folder or delete this one'
            )
        return True
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f'{folder}: is there already and not a toy set; choose a missing or empty folder'
        )
    return False


def _write_set(folder: Path, parameters: dict[str, int | str]) -> None:
    palette = np.array(voc_palette(), dtype=np.uint8).tobytes()
    for name in ('JPEGImages', 'SegmentationClass', 'Saliency', 'ImageSets/Segmentation'):
        (folder / name).mkdir(parents=True)
    tags = {}
    seed, size = int(parameters['seed']), int(parameters['size'])
    style = STYLES[str(parameters.get('style', 'toy'))]
    for stream, split in enumerate(('train', 'val')):
        names = []
        for index in range(int(parameters[f'num_{split}'])):
            key = [seed, stream, index]
            rng = np.random.default_rng(key)
            picture, mask, things = draw_picture(index, size, rng, style)
            name = f'{split}_{index:05d}'
            Image.fromarray(picture).save(folder / f'JPEGImages/{name}.jpg', quality=92)
            image = Image.fromarray(mask)
            image.putpalette(palette)
            image.save(folder / f'SegmentationClass/{name}.png')
            # Random numbers of its own, so that it can change without any picture changing.
            saliency = draw_saliency(things, np.random.default_rng([*key, 1]))
            Image.fromarray(saliency).save(folder / f'Saliency/{name}.png')
            present = np.setdiff1d(mask, (0, IGNORE))
            tags[name] = [TOY_CLASSES[label] for label in present]
            names.append(name)
        _write_lines(folder / f'ImageSets/Segmentation/{split}.txt', names)
    _write_lines(folder / 'classes.txt', TOY_CLASSES)
    write_tags_csv(folder / 'tags.csv', tags)
    (folder / _MARKER).write_text(json.dumps(parameters) + '\n', encoding='utf-8')


def _write_lines(path: Path, lines: list[str] | tuple[str, ...]) -> None:
    path.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
