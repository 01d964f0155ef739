"""Class activation maps as the published tools save them (``.npy`` of a pickled dict), to seeds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmppc.storage.pickled_npy import read_pickled_npy
from mmppc.storage.pictures import read_picture
from mmppc.storage.seeds import load_seed, save_seed

_IRN_FIELDS = {'keys', 'high_res'}


@dataclass(frozen=True)
class PublishedCams:
    """Maps of a picture's classes.

    Attributes:
        scores: (K, H, W) float32, finite, as in the file; None if it holds no class, and so no size.
        classes: (K,) int64 channels 1 .. C, ascending: the published numbers, which leave out the
            background, plus one.
    """

    scores: np.ndarray | None
    classes: np.ndarray

    @property
    def outside(self) -> tuple[float, float] | None:
        """The smallest and the largest score if one is outside of [0, 1]."""
        if self.scores is None or not self.scores.size:
            return None
        low, high = float(self.scores.min()), float(self.scores.max())
        return (low, high) if low < 0 or high > 1 else None


def read_published_cams(path: str | os.PathLike, num_classes: int) -> PublishedCams:
    """Read a published file: of SEAM, PSA, EPS or PPC ``{k: (H, W)}``, or IRN's ``{keys, cam, high_res}``.

    Class numbers k are those of the foreground, 0 .. C - 1. Of IRN's maps the ones of the picture's
    size, ``high_res``, are taken. Nothing but arrays, tensors, dicts and numbers is unpickled.

    Args:
        path: The ``.npy`` file.
        num_classes: 1 + C, the background included.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it refers to anything else (nothing of it is run), or holds anything but such
            maps, finite and of one size.
    """
    content = read_pickled_npy(path, 'a dict of maps', tensors=True)
    if not isinstance(content, Mapping):
        raise ValueError(f'{path}: expected a dict of maps, found a {type(content).__name__}')
    if content.keys() >= _IRN_FIELDS:
        keys, maps = np.asarray(content['keys']).reshape(-1).tolist(), list(content['high_res'])
        if len(keys) != len(maps):
            raise ValueError(f'{path}: field keys: found {len(keys)} for {len(maps)} maps')
        size = np.asarray(content['high_res']).shape[1:]
    else:
        keys, maps, size = list(content), list(content.values()), None
    for key in keys:
        if isinstance(key, bool) or not isinstance(key, int | np.integer):
            raise ValueError(f"{path}: field {key!r}: expected a class number, or IRN's fields")
        if not 0 <= key < num_classes - 1:
            raise ValueError(
                f'{path}: field {key}: expected classes 0 .. {num_classes - 2}, those of '
                f'{num_classes} with the background'
            )
    classes = np.array(keys, np.int64) + 1
    if len(np.unique(classes)) != len(classes):
        raise ValueError(f'{path}: field keys: found {keys}, expected each class once')
    if not maps:
        whole = size is not None and len(size) == 2 and 0 not in size
        return PublishedCams(np.zeros((0, *size), np.float32) if whole else None, classes)
    scores = _stack(path, keys, maps)
    order = np.argsort(classes)
    return PublishedCams(scores[order], classes[order])


def convert_published_cams(
    src: Path, dst: Path, sample_id: str, num_classes: int, picture: Path | None = None
) -> PublishedCams | None:
    """Make a seed of a published file, unless that is done already. Scores are clipped to [0, 1].

    Args:
        src: The ``.npy`` file.
        dst: The ``.npz`` seed to write.
        sample_id: Of the picture, for the seed's record.
        num_classes: 1 + C, the background included.
        picture: The picture, whose size is that of a file without a class.

    Returns:
        What the file holds; None if its seed was there and not older.

    Raises:
        FileNotFoundError: If a file is missing.
        FileExistsError: If ``dst`` is a seed of other origin.
        ValueError: If ``src`` is refused, or has no class and there is no ``picture``.
    """
    if dst.is_file():
        former = load_seed(dst)
        if former.meta.get('published') != src.name or former.num_classes != num_classes:
            raise FileExistsError(
                f'{dst}: holds a seed of {former.num_classes} classes, not one made from {src.name} '
                f'for {num_classes}; give another folder'
            )
        if dst.stat().st_mtime_ns >= src.stat().st_mtime_ns:
            return None
    found = read_published_cams(src, num_classes)
    scores = found.scores
    if scores is None:
        if picture is None:
            raise ValueError(f'{src}: no class, and so no size; its picture is needed')
        scores = np.zeros((0, *read_picture(picture).shape[:2]), np.float32)
    meta = {'published': src.name, 'sample_id': sample_id}
    save_seed(dst, scores.clip(0, 1), found.classes, num_classes=num_classes, meta=meta)
    return found


def _stack(path: str | os.PathLike, keys: list[int], maps: list) -> np.ndarray:
    arrays = [np.asarray(item) for item in maps]
    shape = arrays[0].shape
    for key, array in zip(keys, arrays):
        if array.dtype.kind != 'f' or array.ndim != 2 or array.shape != shape or 0 in shape:
            raise ValueError(
                f'{path}: field {key}: found {array.dtype} of shape {array.shape}, expected floats '
                f'(H, W){f" as the first, {shape}" if len(shape) == 2 and 0 not in shape else ""}'
            )
    scores = np.stack(arrays).astype(np.float32)
    if not np.isfinite(scores).all():
        raise ValueError(f'{path}: scores that are not finite')
    return scores
