"""Evaluation of seeds at all background thresholds in one pass over the pixels.

At threshold ``t`` a pixel's label is ``argmax([t, scores])``: foreground only where the best score is
strictly greater than ``t``, and the lowest class among equals. The best score, its class and the truth
therefore decide a pixel's label at every threshold, so one histogram of (truth, best class, number of
thresholds below the best score) holds everything; cumulative sums turn it into confusion matrices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

THRESHOLDS = np.arange(60) / 100
"""0.00, 0.01, ..., 0.59."""

IGNORED = 255


@dataclass(frozen=True)
class SweepHistogram:
    """Sparse histogram of one picture: small enough to send between processes.

    Attributes:
        bins: (M,) int64, flat index of (truth, best class, level) in
            ``(num_classes, num_classes, T + 1)``; a pixel of level n is foreground at the first n
            thresholds.
        counts: (M,) int64, pixels.
        num_classes: 1 + C.
        num_thresholds: T.
    """

    bins: np.ndarray
    counts: np.ndarray
    num_classes: int
    num_thresholds: int


def sweep_histogram(
    scores: np.ndarray,
    target: np.ndarray,
    *,
    num_classes: int,
    classes: np.ndarray | None = None,
    thresholds: np.ndarray = THRESHOLDS,
    ignore_index: int = IGNORED,
) -> SweepHistogram:
    """Histogram of one picture.

    Args:
        scores: Foreground scores, (K, H, W), finite; K = 0 is all background. Compared with the
            thresholds in their own precision, in float32 if that is lower.
        target: Truth, (H, W) integers 0 .. C or ``ignore_index``.
        num_classes: 1 + C, the background included.
        classes: (K,) ascending channels 1 .. C of the scores; by default K = C, all of them. Classes
            left out count as 0 everywhere.
        thresholds: (T,) increasing, in [0, 1).
        ignore_index: Truth of pixels that do not count.

    Raises:
        ValueError: If shapes, classes, thresholds or truth do not fit, or a score is not finite.
    """
    scores, target = np.asarray(scores), np.asarray(target)
    thresholds = check_thresholds(thresholds)
    channels = np.arange(1, num_classes) if classes is None else np.asarray(classes)
    if scores.ndim != 3 or scores.shape[1:] != target.shape or len(scores) != len(channels):
        raise ValueError(
            f'scores {scores.shape}, truth {target.shape}, {len(channels)} classes: '
            'expected (K, H, W), (H, W) and K'
        )
    if len(channels) and not (
        (np.diff(channels) > 0).all() and channels[0] >= 1 and channels[-1] < num_classes
    ):
        raise ValueError(f'classes {channels}: expected ascending ones from 1 .. {num_classes - 1}')
    valid = target != ignore_index
    truth = target[valid].astype(np.int64)
    if truth.size and not 0 <= truth.min() <= truth.max() < num_classes:
        raise ValueError(
            f'truth holds {truth.min()} .. {truth.max()}, expected classes 0 .. {num_classes - 1} '
            f'or {ignore_index} (ignored)'
        )
    best, level = _best_class(scores[:, valid], channels, thresholds)
    flat = (truth * num_classes + best) * (len(thresholds) + 1) + level
    bins, counts = np.unique(flat, return_counts=True)
    return SweepHistogram(bins, counts.astype(np.int64), num_classes, len(thresholds))


def sweep_confusion(histograms: Iterable[SweepHistogram]) -> np.ndarray:
    """Confusion matrices at all thresholds of all pictures together.

    Returns:
        (T, 1 + C, 1 + C) int64 pixel counts, [threshold, truth, predicted].

    Raises:
        ValueError: If there is no histogram, or they differ in classes or thresholds.
    """
    total: np.ndarray | None = None
    for item in histograms:
        shape = (item.num_classes, item.num_classes, item.num_thresholds + 1)
        if total is None:
            total = np.zeros(shape, np.int64)
        if total.shape != shape:
            raise ValueError(f'histogram of {shape} among histograms of {total.shape}')
        total.reshape(-1)[item.bins] += item.counts
    if total is None:
        raise ValueError('no histogram: expected at least one picture')
    # Foreground at threshold i are the levels above i.
    above = total[:, :, :0:-1].cumsum(axis=2)[:, :, ::-1]
    confusion = np.ascontiguousarray(above.transpose(2, 0, 1))
    confusion[:, :, 0] = total.sum(axis=(1, 2)) - confusion[:, :, 1:].sum(axis=2)
    return confusion


def label_confusion(
    truth: np.ndarray, predicted: np.ndarray, num_classes: int, *, ignore_index: int = IGNORED
) -> np.ndarray:
    """Confusion matrix of two label maps.

    Args:
        truth: (H, W) integers 0 .. C or ``ignore_index``.
        predicted: (H, W) integers 0 .. C.
        num_classes: 1 + C.
        ignore_index: Truth of pixels that do not count.

    Returns:
        (1 + C, 1 + C) int64 pixel counts, [truth, predicted].

    Raises:
        ValueError: If the sizes differ, or a label is no class.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f'truth of size {truth.shape}, prediction of size {predicted.shape}')
    valid = truth != ignore_index
    pairs = np.stack([truth[valid], predicted[valid]]).astype(np.int64)
    if pairs.size and not 0 <= pairs.min() <= pairs.max() < num_classes:
        raise ValueError(f'labels {pairs.min()} .. {pairs.max()}, expected 0 .. {num_classes - 1}')
    counts = np.bincount(pairs[0] * num_classes + pairs[1], minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def confusion_iou(confusion: np.ndarray, *, absent: str = 'nan') -> np.ndarray:
    """Intersection over union, TP / (T + P - TP + 1e-10), of every class.

    Args:
        confusion: (..., 1 + C, 1 + C) counts, [truth, predicted].
        absent: A class that neither the truth nor the prediction holds is ``'nan'``, to be left out
            of the mean as mmseg does, or ``'zero'``, as the published evaluation counts it. VOC's
            splits hold every class, there both are equal.

    Returns:
        (..., 1 + C) float64.

    Raises:
        ValueError: If ``absent`` is unknown.
    """
    if absent not in ('nan', 'zero'):
        raise ValueError(f"absent={absent!r}: expected 'nan' or 'zero'")
    hit = np.diagonal(confusion, axis1=-2, axis2=-1)
    union = confusion.sum(axis=-1) + confusion.sum(axis=-2) - hit
    iou = hit / (union + 1e-10)
    return np.where(union > 0, iou, np.nan) if absent == 'nan' else iou


def mean_iou(iou: np.ndarray) -> np.ndarray:
    """Mean over the classes (last axis) without those that are NaN; NaN where nothing is left."""
    known = ~np.isnan(iou)
    count = known.sum(axis=-1)
    return np.where(count > 0, np.where(known, iou, 0).sum(axis=-1) / np.maximum(count, 1), np.nan)


@dataclass(frozen=True)
class ForegroundRates:
    """How far the foreground is found and spills over: shares in [0, 1], NaN of no pixels.

    Attributes:
        recall: (...) share of the foreground pixels that are labelled foreground of any class; the rest is
            under-activation.
        false_positives: (...) share of the background pixels that are labelled foreground: over-activation.
        class_recall: (..., C) ``recall`` over the pixels of each foreground class.
        class_false_positives: (..., C) share of the background pixels that are labelled with each foreground
            class; their sum is ``false_positives``.
    """

    recall: np.ndarray
    false_positives: np.ndarray
    class_recall: np.ndarray
    class_false_positives: np.ndarray


def foreground_rates(confusion: np.ndarray) -> ForegroundRates:
    """Under- and over-activation behind an IoU.

    Args:
        confusion: (..., 1 + C, 1 + C) counts, [truth, predicted].

    Returns:
        Rates with the leading dimensions of ``confusion``.
    """
    confusion = np.asarray(confusion)
    foreground = confusion[..., 1:, :]
    found, there = foreground[..., 1:].sum(axis=-1), foreground.sum(axis=-1)
    background = confusion[..., 0, :].sum(axis=-1)
    spilt = confusion[..., 0, 1:]
    return ForegroundRates(
        recall=_share(found.sum(axis=-1), there.sum(axis=-1)),
        false_positives=_share(spilt.sum(axis=-1), background),
        class_recall=_share(found, there),
        class_false_positives=_share(spilt, background[..., None]),
    )


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, NaN where ``whole`` is 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def check_thresholds(thresholds: np.ndarray) -> np.ndarray:
    """``thresholds`` as (T,) float64; ValueError unless increasing within [0, 1)."""
    values = np.asarray(thresholds, np.float64)
    increasing = values.ndim == 1 and values.size > 0 and (np.diff(values) > 0).all()
    if not increasing or values[0] < 0 or values[-1] >= 1:
        raise ValueError(f'thresholds {values}: expected increasing values in [0, 1)')
    return values


def _best_class(
    scores: np.ndarray, channels: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Class (P,) of the best of scores (K, P), and the number of thresholds strictly below it."""
    if not len(channels):
        empty = np.zeros(scores.shape[1], np.int64)
        return empty, empty
    if not np.isfinite(scores).all():
        raise ValueError('scores hold NaN or infinite values')
    scores = scores.astype(np.promote_types(scores.dtype, np.float32), copy=False)
    level = np.searchsorted(thresholds.astype(scores.dtype), scores.max(axis=0), side='left')
    return channels[scores.argmax(axis=0)].astype(np.int64), level
