"""Berkeley's Semantic Boundaries Dataset (SBD): further masks for pictures of PASCAL VOC.

Its annotations are MATLAB files of nested structures: ``GTcls.Segmentation`` with a class a pixel and, in another
folder, ``GTinst.Segmentation`` with an object a pixel and ``GTinst.Categories`` with the class of each. They carry no
void borders.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from mmppc.datasets.voc import VOC_CLASSES, voc_palette
from mmppc.storage.masks import load_mask, mask_meta, save_mask
from mmppc.storage.pictures import DECODER_ERRORS

TRAIN_AUG_PICTURES = 10582
"""Pictures of ``train_aug``: those of SBD's two lists and VOC 2012's ``train`` that are not in VOC 2012's ``val``."""

ANNOTATIONS = ('cls', 'inst')
"""Folders of SBD's annotations: classes, and objects with their classes."""

_MAT_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    NotImplementedError,  # version 7.3, an HDF5 file
    MatReadError,
    struct.error,
    zlib.error,
)


def train_aug_names(
    voc_train: Iterable[str], voc_val: Iterable[str], *sbd_lists: Iterable[str]
) -> list[str]:
    """Names of ``train_aug``, sorted: all of ``voc_train`` and ``sbd_lists`` that are not in ``voc_val``.

    >>> train_aug_names(['a', 'b'], ['c'], ['c', 'd'], ['b', 'e'])
    ['a', 'b', 'd', 'e']
    """
    return sorted(set(voc_train).union(*sbd_lists) - set(voc_val))


def read_sbd_mask(path: str | os.PathLike, annotation: str = 'cls') -> np.ndarray:
    """Read the classes of one annotation, (H, W) uint8 of 0 .. 20, VOC's numbers.

    Args:
        path: A ``.mat`` file.
        annotation: Which of :data:`ANNOTATIONS` it is. ``'inst'`` gives the class of the object a pixel belongs to.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such annotation, cut off or damaged, or holds a number that is no class.
    """
    if annotation not in ANNOTATIONS:
        raise ValueError(f'annotation={annotation!r}: expected one of {ANNOTATIONS}')
    name = f'GT{annotation}'
    try:
        with open(path, 'rb') as file:
            content = loadmat(file, variable_names=[name])
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: no such annotation') from None
    except _MAT_ERRORS as error:
        raise ValueError(
            f'{path}: not a MATLAB file that can be read, or cut off or damaged ({error}); expected an annotation of '
            'SBD'
        ) from error
    mask = _field(content, name, 'Segmentation', path)
    if mask.ndim != 2 or not mask.size or mask.dtype.kind not in 'iu':
        raise ValueError(
            f'{path}: {name}.Segmentation is {mask.dtype} of shape {mask.shape}, expected integers (H, W)'
        )
    if annotation == 'inst':
        classes = _field(content, name, 'Categories', path).ravel()
        table = np.concatenate(([0], classes)).astype(np.int64)
        if mask.min() < 0 or mask.max() >= len(table):
            raise ValueError(
                f'{path}: {name}.Segmentation has objects 0 .. {mask.max()}, expected at most the {len(classes)} of '
                f'{name}.Categories'
            )
        mask = table[mask]
    if mask.min() < 0 or mask.max() >= len(VOC_CLASSES):
        raise ValueError(
            f'{path}: {name} has the classes {mask.min()} .. {mask.max()}, expected 0 .. {len(VOC_CLASSES) - 1}'
        )
    return mask.astype(np.uint8)


def _field(content: dict[str, Any], name: str, field: str, path: str | os.PathLike) -> np.ndarray:
    """``name.field`` of a structure, which SciPy gives as an array (1, 1) of records."""
    record = content.get(name)
    if record is None:
        raise ValueError(f'{path}: no structure {name}, expected an annotation of SBD')
    if record.dtype.names is None or field not in record.dtype.names or record.size != 1:
        raise ValueError(
            f'{path}: {name} has the fields {record.dtype.names}, expected one structure with {field}'
        )
    return np.asarray(record[field].item())


def write_aug_mask(
    source: Path, picture: Path, target: Path, *, annotation: str, overwrite: bool = False
) -> str:
    """Write one picture's mask as palette PNG, unless there is one.

    Args:
        source: An official mask (``.png``), whose void borders stay, or an annotation of SBD (``.mat``).
        picture: The picture, whose size is compared.
        target: File to write, whole or not at all.
        annotation: What a ``.mat`` is, see :func:`read_sbd_mask`.
        overwrite: Also where there is a whole mask.

    Returns:
        ``'written'``, ``'kept'`` where this function has made the mask before from such a source, or ``'foreign'``.

    Raises:
        FileNotFoundError: If source or picture is missing.
        ValueError: If one of them cannot be read, or their sizes differ.
    """
    official = source.suffix == '.png'
    record = {'made_from': 'VOC' if official else f'SBD {annotation}'}
    if not overwrite:
        try:
            return 'kept' if mask_meta(target) == record else 'foreign'
        except (FileNotFoundError, ValueError):
            pass  # a missing or damaged mask is made anew
    mask = load_mask(source, len(VOC_CLASSES)) if official else read_sbd_mask(source, annotation)
    size = picture_size(picture)
    if mask.shape != size:
        raise ValueError(
            f'{source}: mask of {mask.shape[1]} x {mask.shape[0]} pixels, expected the {size[1]} x {size[0]} of '
            f'{picture}'
        )
    save_mask(target, mask, voc_palette(len(VOC_CLASSES)), record)
    return 'written'


def picture_size(path: str | os.PathLike) -> tuple[int, int]:
    """Height and width of a picture, which is not decoded.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a picture.
    """
    try:
        with Image.open(path) as picture:
            return picture.height, picture.width
    except FileNotFoundError:
        raise FileNotFoundError(f'{path}: no such picture') from None
    except DECODER_ERRORS as error:
        raise ValueError(f'{path}: not a picture that can be read ({error})') from error
