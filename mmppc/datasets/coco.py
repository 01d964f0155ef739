"""MS COCO: class names, and the tables of its instance annotations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from mmppc.datasets.names import check_classes, read_text, sample_id

COCO_CATEGORIES: Mapping[int, str] = MappingProxyType(
    {
        1: 'person', 2: 'bicycle', 3: 'car', 4: 'motorcycle', 5: 'airplane', 6: 'bus', 7: 'train', 8: 'truck',
        9: 'boat', 10: 'traffic light', 11: 'fire hydrant', 13: 'stop sign', 14: 'parking meter', 15: 'bench',
        16: 'bird', 17: 'cat', 18: 'dog', 19: 'horse', 20: 'sheep', 21: 'cow', 22: 'elephant', 23: 'bear',
        24: 'zebra', 25: 'giraffe', 27: 'backpack', 28: 'umbrella', 31: 'handbag', 32: 'tie', 33: 'suitcase',
        34: 'frisbee', 35: 'skis', 36: 'snowboard', 37: 'sports ball', 38: 'kite', 39: 'baseball bat',
        40: 'baseball glove', 41: 'skateboard', 42: 'surfboard', 43: 'tennis racket', 44: 'bottle',
        46: 'wine glass', 47: 'cup', 48: 'fork', 49: 'knife', 50: 'spoon', 51: 'bowl', 52: 'banana', 53: 'apple',
        54: 'sandwich', 55: 'orange', 56: 'broccoli', 57: 'carrot', 58: 'hot dog', 59: 'pizza', 60: 'donut',
        61: 'cake', 62: 'chair', 63: 'couch', 64: 'potted plant', 65: 'bed', 67: 'dining table', 70: 'toilet',
        72: 'tv', 73: 'laptop', 74: 'mouse', 75: 'remote', 76: 'keyboard', 77: 'cell phone', 78: 'microwave',
        79: 'oven', 80: 'toaster', 81: 'sink', 82: 'refrigerator', 84: 'book', 85: 'clock', 86: 'vase',
        87: 'scissors', 88: 'teddy bear', 89: 'hair drier', 90: 'toothbrush',
    }
)  # fmt: skip
"""COCO's 80 categories by their ids, which have gaps up to 90."""

COCO_CLASSES: tuple[str, ...] = ('background', *COCO_CATEGORIES.values())
"""Background and the 80 categories by ascending id: the index in a mask is the index here."""


@dataclass(frozen=True)
class CocoPicture:
    """A picture and its objects.

    Attributes:
        file_name: Path below the split's picture folder, with its suffix.
        size: Height and width in pixels.
        objects: Its annotations in the file's order, each with ``label`` 1 .. C, ``segmentation`` as COCO
            writes it, and ``iscrowd``.
    """

    file_name: str
    size: tuple[int, int]
    objects: tuple[dict[str, Any], ...]

    @property
    def sample_id(self) -> str:
        """Name below the split's picture folder without the suffix."""
        return sample_id(self.file_name)

    @property
    def labels(self) -> list[int]:
        """Labels 1 .. C that occur, ascending. A crowd counts: the picture shows the class."""
        return sorted({item['label'] for item in self.objects})


def read_instances(path: str | os.PathLike) -> tuple[tuple[str, ...], list[CocoPicture]]:
    """Read an instance annotation file, such as ``instances_train2014.json``.

    Args:
        path: JSON with ``images`` (``id``, ``file_name``, ``height``, ``width``), ``annotations`` (``image_id``,
            ``category_id``, ``segmentation``, optional ``iscrowd``) and ``categories`` (``id``, ``name``).

    Returns:
        The 1 + C class names, the background first, then the categories by ascending id, so that labels are
        contiguous; and every picture by ascending file name, those without an object too.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the content is not as described, with the file, the entry, what was found and what was
            expected; or there are more than 254 categories, which a mask of 8 bits cannot tell apart.
    """
    file = Path(path)
    try:
        content = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise ValueError(
            f'{file}: line {error.lineno}, column {error.colno}: not JSON: {error.msg}'
        ) from None
    if not isinstance(content, dict):
        raise ValueError(f'{file}: expected an object, found a {type(content).__name__}')
    tables = {name: _table(file, content, name) for name in ('categories', 'images', 'annotations')}
    names = _by_id(file, 'categories', tables['categories'], {'name': str})
    if len(names) > 254:
        raise ValueError(f'{file}: {len(names)} categories, expected at most 254')
    labels = {key: label for label, key in enumerate(sorted(names), start=1)}
    classes = check_classes(('background', *(names[key]['name'] for key in labels)), str(file))
    fields: dict[str, type] = {'file_name': str, 'height': int, 'width': int}
    images = _by_id(file, 'images', tables['images'], fields)
    objects = _objects(file, tables['annotations'], images, labels)
    pictures = [_picture(file, image, objects.get(key, ())) for key, image in images.items()]
    pictures.sort(key=lambda picture: picture.file_name)
    seen: dict[str, str] = {}
    for picture in pictures:
        other = seen.setdefault(picture.sample_id, picture.file_name)
        if other is not picture.file_name:
            raise ValueError(
                f'{file}: images: {other!r} and {picture.file_name!r} have the same name; masks are '
                'filed under it'
            )
    return classes, pictures


def _table(file: Path, content: dict, name: str) -> list[dict]:
    rows = content.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(
            f'{file}: field {name!r}: expected a list of objects, found {str(rows)[:80]}; this reads '
            'instance annotations, as in instances_train2014.json'
        )
    return rows


def _by_id(
    file: Path, name: str, rows: Iterable[dict], fields: Mapping[str, type]
) -> dict[int, dict]:
    """The rows of a table by ``id``; ValueError unless ids are distinct integers and the fields are there."""
    found: dict[int, dict] = {}
    for number, row in enumerate(rows):
        where = f'{file}: {name}[{number}]'
        for field, kind in {'id': int, **fields}.items():
            if not isinstance(row.get(field), kind):
                raise ValueError(
                    f'{where}: field {field!r}: expected {kind.__name__}, found {row.get(field)!r}'
                )
        if row['id'] in found:
            raise ValueError(f'{where}: id {row["id"]} occurs twice')
        found[row['id']] = row
    if not found:
        raise ValueError(f'{file}: field {name!r} is empty')
    return found


def _objects(
    file: Path, rows: Iterable[dict], images: Mapping[int, dict], labels: Mapping[int, int]
) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for number, row in enumerate(rows):
        where = f'{file}: annotations[{number}]'
        for field, known in (('image_id', images), ('category_id', labels)):
            if not isinstance(row.get(field), int) or row[field] not in known:
                raise ValueError(
                    f'{where}: field {field!r}: {row.get(field)!r} is not among the ids of '
                    f'{"images" if field == "image_id" else "categories"}'
                )
        if not isinstance(row.get('segmentation'), (list, dict)):
            raise ValueError(
                f"{where}: field 'segmentation': expected polygons or a run-length code, found "
                f'{str(row.get("segmentation"))[:80]}'
            )
        item = {
            'label': labels[row['category_id']],
            'segmentation': row['segmentation'],
            'iscrowd': bool(row.get('iscrowd', 0)),
        }
        found.setdefault(row['image_id'], []).append(item)
    return found


def _picture(file: Path, image: dict, objects: Iterable[dict[str, Any]]) -> CocoPicture:
    name, size = image['file_name'], (image['height'], image['width'])
    if min(size) < 1:
        raise ValueError(f'{file}: picture {name!r}: size {size}, expected positive numbers')
    path = PurePosixPath(name.replace('\\', '/'))
    if path.is_absolute() or '..' in path.parts or ':' in path.parts[0]:
        # Masks are written below the output folder under this name.
        raise ValueError(f'{file}: picture {name!r}: expected a path below the picture folder')
    return CocoPicture(name, size, tuple(objects))
