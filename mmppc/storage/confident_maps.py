"""Confident label files of PSA: what a cautious and a bold background leave of the CRF's probabilities."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.storage.npz_files import NpzFormat, read_npz, write_npz

FORMAT = NpzFormat(
    name='mmppc-confident-maps',
    version=1,
    fields=('low', 'high', 'classes', 'num_classes'),
    noun='confident label file',
    writer='make_confident_labels',
    remedy='make the labels again',
)


@dataclass(frozen=True)
class ConfidentMaps:
    """Probabilities of the classes present in a picture, refined twice.

    Attributes:
        low: (1 + K, H, W) float32 in [0, 1], background first, from the background score of the low
            exponent: a large background, so what is foreground here is foreground.
        high: The same from the high exponent: a small background, which is background indeed.
        classes: (1 + K,) int64, channel numbers, 0 first, then ascending.
        num_classes: 1 + C.
        meta: What the writer recorded.
    """

    low: np.ndarray
    high: np.ndarray
    classes: np.ndarray
    num_classes: int
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.low.shape[1], self.low.shape[2]


def save_confident_maps(path: str | os.PathLike, maps: ConfidentMaps) -> None:
    """Write a confident label file (compressed ``.npz``, probabilities in steps of 1/255), atomically.

    Raises:
        ValueError: If shapes, range or class numbers are wrong.
        TypeError: If ``maps.meta`` does not fit into JSON.
    """
    classes = np.asarray(maps.classes, np.int64).reshape(-1)
    _check_classes(classes, maps.num_classes, path)
    arrays = {'classes': classes.astype(np.int32), 'num_classes': np.array(maps.num_classes)}
    for name, values in (('low', maps.low), ('high', maps.high)):
        if values.ndim != 3 or not values.size or values.shape != (len(classes), *maps.size):
            raise ValueError(
                f'{path}: field {name}: found {values.shape} for {len(classes)} classes, expected '
                '(1 + K, H, W), as the other maps'
            )
        steps = np.rint(values * 255)
        # Rounding forgives the last bits by which a sum of floats may pass one.
        if not ((steps >= 0) & (steps <= 255)).all():
            raise ValueError(
                f'{path}: field {name}: found {values.min()} .. {values.max()}, expected finite '
                'values in [0, 1]'
            )
        arrays[name] = steps.astype(np.uint8)
    write_npz(path, FORMAT, arrays, maps.meta)


def load_confident_maps(path: str | os.PathLike) -> ConfidentMaps:
    """Read a confident label file; nothing is ever unpickled.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is broken, of another kind or version, or inconsistent.
    """
    file = Path(path)
    found, meta = read_npz(file, FORMAT)
    classes, num_classes = found['classes'].astype(np.int64), int(found['num_classes'])
    for name in ('low', 'high'):
        values = found[name]
        same = values.shape == found['low'].shape
        if values.ndim != 3 or classes.shape != (len(values),) or not same:
            raise ValueError(
                f'{file}: field {name}: found {values.shape} for classes {classes.shape}, expected '
                '(1 + K, H, W), as the other maps'
            )
        if values.dtype != np.uint8:
            raise ValueError(f'{file}: field {name}: found {values.dtype}, expected uint8')
    _check_classes(classes, num_classes, file)
    low, high = (found[name].astype(np.float32) / 255 for name in ('low', 'high'))
    return ConfidentMaps(low, high, classes, num_classes, meta)


def _check_classes(classes: np.ndarray, num_classes: int, path: str | os.PathLike) -> None:
    ascending = (np.diff(classes) > 0).all()
    if not len(classes) or classes[0] != 0 or not ascending or classes[-1] >= num_classes:
        raise ValueError(
            f'{path}: field classes: found {classes.tolist()}, expected 0 and ascending channels '
            f'1 .. {num_classes - 1}'
        )
