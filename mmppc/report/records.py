"""What the page tells about, as read from a work folder: plain data, no file is opened here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmppc.refinement.records import PictureRecord

SEEDS, MASKS, PREDICTIONS = 'seeds', 'masks', 'predictions'
KINDS = (SEEDS, MASKS, PREDICTIONS)
"""What a stage makes of the pictures, in the order of the pipeline; also the names of its folders."""

NOUNS = {SEEDS: 'seeds', MASKS: 'masks', PREDICTIONS: 'segmentation'}
"""What readers of the page call them."""


@dataclass(frozen=True)
class Threshold:
    """A background threshold and where it came from."""

    value: float
    source: str


@dataclass(frozen=True)
class Evaluation:
    """Figures of label maps against the truth, in percent.

    Attributes:
        kind: One of :data:`KINDS`.
        split: Whose pictures.
        miou: Mean over the classes, or None.
        iou: Class -> IoU; None for a class that occurs nowhere.
        pictures: How many had truth; None if the report does not say.
        conditions: Under which the label maps were made, for people.
        confusion: (1 + C, 1 + C) pixels, [truth, predicted], or None.
        threshold: Of seeds: the background threshold.
    """

    kind: str
    split: str
    miou: float | None
    iou: Mapping[str, float | None]
    pictures: int | None
    conditions: tuple[str, ...]
    confusion: np.ndarray | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class SeedCurve:
    """The seeds of a split at every threshold, in percent.

    Attributes:
        thresholds: (T,) increasing.
        miou: (T,), NaN where it is not defined.
        iou: Class -> (T,).
        best: Threshold with the highest mIoU on this very split.
        confusions: Threshold -> matrix, of those the report holds.
    """

    split: str
    thresholds: np.ndarray
    miou: np.ndarray
    iou: Mapping[str, np.ndarray]
    best: float
    pictures: int | None
    conditions: tuple[str, ...]
    confusions: Mapping[float, np.ndarray]

    def at(self, threshold: float) -> int | None:
        """Place of a threshold on the curve; None if it is not one of its points."""
        near = int(np.abs(self.thresholds - threshold).argmin())
        return near if np.isclose(self.thresholds[near], threshold) else None


@dataclass(frozen=True)
class TagScores:
    """How well a network tells the tags: average precision in percent."""

    split: str
    mean: float | None
    classes: Mapping[str, float | None]
    pictures: int | None
    conditions: tuple[str, ...]


@dataclass(frozen=True)
class LabelScores:
    """Confident labels: the share of pixels they decide and how many of these are right, in percent."""

    shares: Mapping[str, float]
    accuracy: float | None
    pictures: int | None


@dataclass(frozen=True)
class Scalars:
    """A training's log.

    Attributes:
        series: Name -> (steps (N,) int64, values (N,) float64; NaN where the log has no number).
        resumed_at: Steps from which on a later log took over, that is where the training went on.
    """

    series: Mapping[str, tuple[np.ndarray, np.ndarray]]
    resumed_at: tuple[int, ...] = ()


@dataclass(frozen=True)
class Figure:
    """One figure of a manifest, in percent."""

    name: str
    value: float | None
    split: str
    conditions: str


@dataclass(frozen=True)
class Stage:
    """One stage, as far as it got.

    Attributes:
        name: Its folder's name.
        title: For people.
        do: ``train``, ``test``, ``masks``, or empty if unknown.
        state: ``finished``, ``running``, ``stopped`` (begun, and no pipeline works on it now), ``not started``, or
            ``recorded`` for a folder without manifest.
        folder: Its work folder, which need not exist.
        split: Whose pictures it works on, or None.
        started: When, as its manifest says it.
        seconds: Time it took, or None.
        attempts: How often it was started; more than once means that it was resumed.
        last_sign: Seconds since the epoch of its log's last line, of a stage that is not finished.
        log_tail: Last lines of its log, of a stage that is not finished.
        details: What else the manifest says, for people: command, id, seed, ...
        contrast: Evaluations of ``ContrastQualityHook``, by iteration.
    """

    name: str
    title: str
    do: str
    state: str
    folder: Path
    split: str | None = None
    started: str | None = None
    seconds: float | None = None
    attempts: int | None = None
    last_sign: float | None = None
    log_tail: tuple[str, ...] = ()
    threshold: Threshold | None = None
    figures: tuple[Figure, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    evaluations: tuple[Evaluation, ...] = ()
    curves: tuple[SeedCurve, ...] = ()
    tags: tuple[TagScores, ...] = ()
    labels: tuple[LabelScores, ...] = ()
    scalars: Scalars = Scalars({})
    contrast: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Data:
    """The pictures a run is about.

    Attributes:
        classes: 1 + C names, background first; empty if unknown.
        palette: 1 + C colours (R, G, B).
        splits: Name -> its pictures.
        sources: What readers should know of where they are: name -> path.
    """

    classes: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    splits: Mapping[str, tuple[PictureRecord, ...]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A work folder.

    Attributes:
        notes: What could not be read, for people.
        threshold: The background threshold the run settled on, or None.
    """

    folder: Path
    name: str
    config: str | None
    seed: int | None
    data: Data
    stages: tuple[Stage, ...]
    threshold: Threshold | None
    notes: tuple[str, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        """Versions of all stages; where stages differ, all that occur."""
        found: dict[str, list[str]] = {}
        for stage in self.stages:
            for name, version in stage.versions.items():
                if version not in found.setdefault(name, []):
                    found[name].append(version)
        return {name: ', '.join(versions) for name, versions in found.items()}
