"""IoU of every single picture, from the files, in worker processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from mmengine.logging import print_log
from rich.progress import track

from mmppc.functional.sweep import confusion_iou, label_confusion, mean_iou
from mmppc.refinement.masks import seed_labels
from mmppc.report.columns import Column, PictureFiles
from mmppc.report.records import SEEDS
from mmppc.storage.masks import VOID, load_mask
from mmppc.storage.seeds import load_seed
from mmppc.utils.worker_pool import WorkerPool

Item = TypeVar('Item')

_CHUNK = 8
_WORTH_A_WORKER = 64
"""Pictures that take longer than a worker takes to start."""
_LINES = 25


@dataclass(frozen=True)
class Score:
    """IoU of one label map, in percent.

    Attributes:
        mean: Over the classes that the truth or the label map of this picture holds, background included.
        classes: Class -> IoU, of the same classes.
    """

    mean: float
    classes: Mapping[int, float]


@dataclass(frozen=True)
class PictureScores:
    """What is known of a picture.

    Attributes:
        classes: Foreground classes that its truth shows; without truth, those of its seed.
        has_truth: Whether there is a true mask that can be read.
        scores: Column key -> score; empty without truth.
        notes: What could not be read.
    """

    classes: tuple[int, ...]
    has_truth: bool
    scores: Mapping[str, Score]
    notes: tuple[str, ...] = ()


def score_pictures(
    pictures: Sequence[PictureFiles],
    columns: Sequence[Column],
    num_classes: int,
    *,
    workers: int,
    progress: bool = False,
) -> tuple[list[PictureScores], dict[tuple[str, str], np.ndarray]]:
    """Score all pictures.

    Args:
        pictures: The pictures.
        columns: What may be scored of them.
        num_classes: 1 + C.
        workers: Processes; 0 to work in this one.
        progress: Show a progress bar; where the output is no terminal, log lines ``pictures 12/300``.

    Returns:
        A record a picture, in their order, and for each (split, column key) the confusion matrix of all pictures with
        truth together, (1 + C, 1 + C) int64, [truth, predicted].
    """
    scores: list[PictureScores | None] = [None] * len(pictures)
    totals: dict[tuple[str, str], np.ndarray] = {}
    job = partial(_score, tuple(columns), num_classes)
    with WorkerPool(min(workers, len(pictures) // _WORTH_A_WORKER)) as pool:
        results = pool.imap(job, enumerate(pictures), chunk=_CHUNK)
        for index, result, counts in shown(results, len(pictures), 'pictures', progress):
            scores[index] = result
            for key, (bins, pixels) in counts.items():
                place = pictures[index].split, key
                if place not in totals:
                    totals[place] = np.zeros((num_classes, num_classes), np.int64)
                totals[place].reshape(-1)[bins] += pixels
    return [item for item in scores if item is not None], totals


def labels_of(column: Column, picture: PictureFiles, num_classes: int) -> np.ndarray:
    """Label map (H, W) uint8 of a column's file.

    Raises:
        FileNotFoundError: If the file has gone.
        ValueError: If it cannot be read or is of other classes.
    """
    path = picture.files[column.key]
    if column.kind != SEEDS:
        return load_mask(path, num_classes)
    seed = load_seed(path)
    if seed.num_classes != num_classes:
        raise ValueError(
            f'{path}: field num_classes: found {seed.num_classes}, expected {num_classes}'
        )
    if column.threshold is None:
        raise ValueError(f'{path}: no threshold is known that makes labels of it')
    return seed_labels(seed, column.threshold)


def tried(function: Callable[[], Item], notes: list[str]) -> Item | None:
    """What ``function`` gives; None, with a note, where a file cannot be read."""
    try:
        return function()
    except (OSError, ValueError) as error:
        notes.append(str(error))
        return None


def shown(results: Iterable[Item], total: int, noun: str, progress: bool) -> Iterator[Item]:
    """The results, with a progress bar or, where the output is no terminal, a line every few percent."""
    if not progress:
        yield from results
    elif sys.stdout.isatty():
        yield from track(results, noun, total=total, transient=True)
    else:
        step = max(1, -(-total // _LINES))
        for number, result in enumerate(results, start=1):
            yield result
            if number % step == 0 or number == total:
                print_log(f'{noun} {number}/{total}')


_Counts = dict[str, tuple[np.ndarray, np.ndarray]]


def _score(
    columns: tuple[Column, ...], num_classes: int, item: tuple[int, PictureFiles]
) -> tuple[int, PictureScores, _Counts]:
    """Place and scores of a picture, and its confusion matrices without their zeros."""
    index, picture = item
    notes: list[str] = []
    truth_path = picture.record.truth_path
    truth = None
    if truth_path is not None:
        truth = tried(partial(load_mask, truth_path, num_classes), notes)
    if truth is None:
        classes = _seed_classes(columns, picture, notes)
        return index, PictureScores(classes, False, {}, tuple(notes)), {}
    counts: _Counts = {}
    scores: dict[str, Score] = {}
    for column in columns:
        if column.key not in picture.files:
            continue
        confusion = tried(partial(_confusion, column, picture, truth, num_classes), notes)
        if confusion is None or not confusion.any():
            continue
        bins = np.flatnonzero(confusion)
        counts[column.key] = bins, confusion.reshape(-1)[bins]
        iou = 100 * confusion_iou(confusion)
        known = {int(k): float(iou[k]) for k in np.flatnonzero(~np.isnan(iou))}
        scores[column.key] = Score(float(mean_iou(iou)), known)
    classes = tuple(int(k) for k in np.unique(truth) if k not in (0, VOID))
    return index, PictureScores(classes, True, scores, tuple(notes)), counts


def _confusion(
    column: Column, picture: PictureFiles, truth: np.ndarray, num_classes: int
) -> np.ndarray:
    labels = labels_of(column, picture, num_classes)
    try:
        return label_confusion(truth, labels, num_classes)
    except ValueError as error:
        raise ValueError(f'{picture.files[column.key]}: {error}') from error


def _seed_classes(
    columns: tuple[Column, ...], picture: PictureFiles, notes: list[str]
) -> tuple[int, ...]:
    for column in columns:
        if column.kind == SEEDS and column.key in picture.files:
            seed = tried(partial(load_seed, picture.files[column.key]), notes)
            if seed is not None:
                return tuple(int(k) for k in seed.classes)
    return ()
