"""Seed files: the scores of a picture's classes, without pickle, whole or absent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.storage.npz_files import NpzFormat, read_npz, write_npz

FORMAT = NpzFormat(
    name='mmppc-seed',
    version=1,
    fields=('scores', 'classes', 'num_classes'),
    noun='seed',
    writer='SeedGenerationHook',
    remedy='generate the seeds again',
)


@dataclass(frozen=True)
class Seed:
    """Scores of the classes present in a picture.

    Attributes:
        scores: (K, H, W) float32 in [0, 1]; K = 0 where the picture has no tag.
        classes: (K,) int64, ascending channel numbers 1 .. C.
        num_classes: 1 + C, the background included.
        meta: What the writer recorded, e.g. ``sample_id``, scales, the network's name.
    """

    scores: np.ndarray
    classes: np.ndarray
    num_classes: int
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.scores.shape[1], self.scores.shape[2]

    def dense(self) -> np.ndarray:
        """All channels, (1 + C, H, W) float32, 0 in the background's and the absent classes'."""
        maps = np.zeros((self.num_classes, *self.size), np.float32)
        maps[self.classes] = self.scores
        return maps


def save_seed(
    path: str | os.PathLike,
    scores: np.ndarray,
    classes: np.ndarray,
    *,
    num_classes: int,
    meta: Mapping[str, Any] | None = None,
) -> None:
    """Write a seed file (``.npz``: float16 scores, version, JSON meta), atomically.

    Args:
        path: Where to write.
        scores: (K, H, W) in [0, 1]; (0, H, W) for a picture without a tag.
        classes: (K,) distinct channel numbers 1 .. C.
        num_classes: 1 + C, the background included.
        meta: Anything JSON can hold.

    Raises:
        ValueError: If shapes, range or class numbers are wrong.
        TypeError: If ``meta`` does not fit into JSON.
    """
    scores, classes = np.asarray(scores), np.asarray(classes, np.int64).reshape(-1)
    if scores.ndim != 3 or len(scores) != len(classes) or 0 in scores.shape[1:]:
        raise ValueError(
            f'{path}: scores {scores.shape} and {len(classes)} classes, expected (K, H, W) and K'
        )
    _check_classes(classes, num_classes, path)
    half = scores.astype(np.float16)
    if not ((half >= 0) & (half <= 1)).all():
        raise ValueError(
            f'{path}: scores span {scores.min()} .. {scores.max()}, expected finite values in [0, 1]'
        )
    order = np.argsort(classes)
    arrays: dict[str, np.ndarray] = {
        'scores': half[order],
        'classes': classes[order].astype(np.int32),
        'num_classes': np.array(num_classes),
    }
    write_npz(path, FORMAT, arrays, meta)


def load_seed(path: str | os.PathLike) -> Seed:
    """Read a seed file; nothing is ever unpickled.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is broken, of another kind or a newer version, or inconsistent.
    """
    file = Path(path)
    found, meta = read_npz(file, FORMAT)
    scores, classes = found['scores'], found['classes'].astype(np.int64)
    if scores.ndim != 3 or classes.shape != (len(scores),) or scores.dtype != np.float16:
        raise ValueError(
            f'{file}: field scores: found {scores.shape} {scores.dtype} for classes '
            f'{classes.shape}, expected (K, H, W) float16'
        )
    num_classes = int(found['num_classes'])
    _check_classes(classes, num_classes, file)
    return Seed(scores.astype(np.float32), classes, num_classes, meta)


def _check_classes(classes: np.ndarray, num_classes: int, path: str | os.PathLike) -> None:
    outside = (classes < 1) | (classes >= num_classes)
    if outside.any() or len(np.unique(classes)) != len(classes):
        raise ValueError(
            f'{path}: field classes: found {classes.tolist()}, expected distinct channels '
            f'1 .. {num_classes - 1} (the background, 0, has none)'
        )
