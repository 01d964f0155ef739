"""COCO's polygons and run-length codes as index masks.

**Who lies over whom.** COCO does not say which of two overlapping objects is in front. Crowd regions are drawn first,
as 255 ("no class"), then the objects from the largest to the smallest, so that a cup stays visible on its table;
of equal areas (in drawn pixels) the later one in the file lies over the earlier. A pixel of a crowd which no object
covers therefore counts neither for nor against its class.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.datasets.coco import CocoPicture
from mmppc.datasets.voc import voc_palette
from mmppc.storage.masks import VOID, mask_meta, save_mask

RULE = 'crowds 255, then objects by descending area'
"""The rule above, recorded in every mask."""


def require_pycocotools() -> Any:
    """``pycocotools.mask``.

    Raises:
        ImportError: If it is missing, with the command that installs it.
    """
    try:
        from pycocotools import mask
    except ImportError as error:
        raise ImportError(
            f'masks of COCO need the package "pycocotools", which is missing or broken ({error}): '
            'pip install "mmppc[coco]"'
        ) from error
    return mask


def object_mask(segmentation: list | dict, size: tuple[int, int]) -> np.ndarray:
    """One object's pixels.

    Args:
        segmentation: Polygons ``[[x, y, x, y, ...], ...]`` in pixels, whose union is meant, or a run-length code
            ``dict(size=[H, W], counts=...)`` with the counts as a list or in COCO's compressed form.
        size: Height and width of the picture.

    Returns:
        (H, W) bool.

    Raises:
        ImportError: If pycocotools is missing.
        ValueError: If it is neither, or has another size.
    """
    coder = require_pycocotools()
    height, width = size
    if isinstance(segmentation, list):
        if not segmentation:
            return np.zeros(size, bool)
        for polygon in segmentation:
            # pycocotools would read a list of four numbers as a box.
            if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
                raise ValueError(
                    f'expected polygons of at least three points [x, y, ...], found {str(polygon)[:80]}'
                )
        codes = coder.frPyObjects(segmentation, height, width)
        return coder.decode(coder.merge(codes)).astype(bool)
    if list(segmentation.get('size', ())) != [height, width]:
        raise ValueError(
            f'run-length code of size {segmentation.get("size")}, expected {[height, width]}'
        )
    counts = segmentation.get('counts')
    if isinstance(counts, list):
        # pycocotools neither checks the sum nor stays within the mask if it is too large.
        if sum(counts) != height * width or min(counts, default=0) < 0:
            raise ValueError(f'counts add up to {sum(counts)}, expected {height} * {width}')
        segmentation = coder.frPyObjects(segmentation, height, width)
    elif not isinstance(counts, str):
        raise ValueError(f'counts: expected a list or a string, found {str(counts)[:80]}')
    return coder.decode(segmentation).astype(bool)


def semantic_mask(picture: CocoPicture) -> np.ndarray:
    """Index mask (H, W) uint8 of a picture: 0 .. C, 255 in crowds; see the module for overlaps.

    Raises:
        ImportError: If pycocotools is missing.
        ValueError: If a segmentation cannot be read, with the picture and the object.
    """
    drawn = []
    for number, item in enumerate(picture.objects):
        try:
            pixels = object_mask(item['segmentation'], picture.size)
        except (ValueError, TypeError) as error:
            raise ValueError(f'{picture.file_name}: object {number}: {error}') from error
        drawn.append((not item['iscrowd'], -int(pixels.sum()), number, pixels, item['label']))
    mask = np.zeros(picture.size, np.uint8)
    for solid, _, _, pixels, label in sorted(drawn, key=lambda entry: entry[:3]):
        mask[pixels] = label if solid else VOID
    return mask


def write_mask(picture: CocoPicture, path: Path, classes: Sequence[str]) -> bool:
    """Write a picture's mask as palette PNG, unless it is there and was made from these very objects.

    Args:
        picture: The picture.
        path: File to write, whole or not at all.
        classes: 1 + C names, background first.

    Returns:
        Whether it had to be written.

    Raises:
        ImportError: If pycocotools is missing.
        ValueError: If a segmentation cannot be read.
    """
    described = json.dumps([picture.size, picture.objects, classes], sort_keys=True)
    digest = hashlib.blake2b(described.encode(), digest_size=8).hexdigest()
    record = {'rule': RULE, 'objects': digest}
    try:
        if mask_meta(path) == record:
            return False
    except (FileNotFoundError, ValueError):
        pass  # a missing or damaged mask is made anew
    save_mask(path, semantic_mask(picture), voc_palette(len(classes)), record)
    return True
