"""From seeds to pseudo masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmppc.functional.cam import background_score
from mmppc.functional.refine import check_refinement, refine_labels
from mmppc.functional.sweep import confusion_iou, label_confusion, mean_iou
from mmppc.refinement.folder_job import (
    FolderJob,
    check_seeds,
    read_picture_of,
    run_folder_job,
    seed_origin,
)
from mmppc.refinement.records import PictureRecord
from mmppc.storage.masks import load_mask, save_mask
from mmppc.storage.seeds import Seed

REPORT = 'masks.json'


def make_pseudo_masks(
    records: Sequence[PictureRecord],
    *,
    seed_dir: str | os.PathLike,
    out_dir: str | os.PathLike,
    classes: Sequence[str],
    palette: Sequence[Sequence[int]],
    threshold: float | None = None,
    alpha: float | None = None,
    method: str = 'densecrf',
    crf: str = 'seed',
    threshold_source: str = 'given',
    device: str = 'cpu',
    workers: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Write the pseudo mask ``<out_dir>/<sample_id>.png`` of every picture, in worker processes.

    A pixel is ``argmax([background, scores])``, which ``method`` then refines; the background score is
    ``threshold`` or ``(1 - max of the scores) ** alpha``. A picture whose seed has no class is
    background. Masks are written whole or not at all, and a run continues where one stopped: a mask is
    finished if it is not older than its seed. ``<out_dir>/masks.json`` records how the masks were made,
    so that masks of different settings never mix, and their IoU where the truth is known.

    Args:
        records: The pictures.
        seed_dir: Folder of the seeds.
        out_dir: Folder of the masks.
        classes: 1 + C names, background first.
        palette: 1 + C colours (R, G, B).
        threshold: Background score in [0, 1), the same everywhere.
        alpha: Exponent of a background score that follows the scores, more than 0 (EPS takes 8, with its
            CRF). Exactly one of the two must be given.
        method: Refinement by the picture: ``'none'``, ``'densecrf'`` or ``'pamr'``.
        crf: Preset of the dense CRF; of no account to the other methods.
        threshold_source: Where the threshold came from, for the record.
        device: Where PAMR is computed. On any other than the CPU all is done in this process, one
            picture after the other.
        workers: Processes; None for one a CPU, 0 to work in this one.
        overwrite: Make all masks again.
        progress: Show a progress bar; where the output is no terminal, log lines ``masks 12/300``.

    Returns:
        What ``masks.json`` holds: ``threshold`` (None, and beside it ``alpha``, where that was given),
        ``threshold_source``, ``refine`` (the method), ``crf`` (``'none'`` with another method),
        ``classes``, ``seeds`` (digests of what made them), ``pictures``, ``written`` (by this run),
        ``evaluated`` (pictures with truth), ``mIoU`` and ``IoU`` of the classes in percent (None
        without truth; classes that occur nowhere are left out of the mean), ``complete``.

    Raises:
        FileNotFoundError: If pictures have no seed; the first are listed.
        FileExistsError: If ``out_dir`` has masks of other settings, or of another origin.
        ValueError: If an argument, a seed, a picture or a true mask is not as expected.
        ImportError: If the CRF is asked for and pydensecrf is missing.
    """
    _check_background(threshold, alpha)
    if len(classes) != len(palette):
        raise ValueError(f'{len(classes)} classes, {len(palette)} colours in the palette')
    check_refinement(method, crf)  # that pydensecrf is missing should show now, not in a worker
    if method == 'pamr' and torch.device(device).type != 'cpu':
        workers = 0
    check_seeds(records, Path(seed_dir))
    colours = tuple(tuple(colour) for colour in palette)
    origin = seed_origin(records[0], Path(seed_dir))
    job = _MaskJob(
        seed_dir=Path(seed_dir),
        out_dir=Path(out_dir),
        palette=colours,
        origin=origin,
        threshold=threshold,
        alpha=alpha,
        method=method,
        crf=crf,
        device=device,
    )
    return run_folder_job(
        job,
        records,
        settings={
            'threshold': threshold,
            **({} if alpha is None else {'alpha': alpha}),
            'refine': method,
            'crf': crf if method == 'densecrf' else 'none',
            'classes': list(classes),
            'seeds': origin,
        },
        details={'threshold_source': threshold_source},
        figures=partial(_figures, classes),
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )


def _check_background(threshold: float | None, alpha: float | None) -> None:
    if (threshold is None) == (alpha is None):
        raise ValueError(f'expected one of threshold and alpha, got {threshold=}, {alpha=}')
    if threshold is not None and not 0 <= threshold < 1:
        raise ValueError(f'threshold={threshold}: expected a background score in [0, 1)')
    if alpha is not None and not 0 < alpha < float('inf'):
        raise ValueError(f'alpha={alpha}: expected an exponent of more than 0')


def seed_labels(seed: Seed, threshold: float) -> np.ndarray:
    """Label map of a seed, (H, W) uint8: ``argmax([threshold, scores])``, ties to the background.

    Compared in float32, as in :mod:`mmppc.functional.sweep`.
    """
    if not len(seed.classes):
        return np.zeros(seed.size, np.uint8)
    foreground = seed.scores.max(axis=0) > np.float32(threshold)
    best = seed.classes[seed.scores.argmax(axis=0)]
    return np.where(foreground, best, 0).astype(np.uint8)


@dataclass(frozen=True)
class _MaskJob(FolderJob):
    threshold: float | None
    alpha: float | None
    method: str
    crf: str
    device: str

    noun = 'masks'
    suffix = '.png'

    def make(self, record: PictureRecord, seed: Seed) -> None:
        if not len(seed.classes):
            mask = np.zeros(seed.size, np.uint8)
        elif self.method == 'none' and self.threshold is not None:
            mask = seed_labels(seed, self.threshold)  # the picture need not be read
        else:
            mask = self._refined(read_picture_of(record, seed), seed)
        save_mask(self.path(record), mask, self.palette)

    def measure(self, record: PictureRecord) -> np.ndarray:
        """Confusion matrix with the truth."""
        assert record.truth_path is not None
        truth = load_mask(record.truth_path, self.num_classes)
        mask = load_mask(self.path(record), self.num_classes)
        try:
            return label_confusion(truth, mask, self.num_classes)
        except ValueError as error:
            raise ValueError(f'{record.truth_path}: {error}') from error

    def _refined(self, image: np.ndarray, seed: Seed) -> np.ndarray:
        foreground = torch.from_numpy(seed.scores)
        background = background_score(foreground, alpha=self.alpha, constant=self.threshold)
        scores = torch.cat([background[None], foreground])
        return refine_labels(
            image,
            scores.to(self.device if self.method == 'pamr' else 'cpu'),
            np.append(0, seed.classes),
            self.num_classes,
            method=self.method,
            crf=self.crf,
        )


def _figures(classes: Sequence[str], confusion: np.ndarray | None) -> dict[str, Any]:
    if confusion is None:
        return {'mIoU': None, 'IoU': None}
    iou = confusion_iou(confusion)
    percent = [None if np.isnan(value) else round(float(value) * 100, 2) for value in iou]
    mean = round(float(mean_iou(iou)) * 100, 2)
    return {'mIoU': mean, 'IoU': dict(zip(classes, percent))}
