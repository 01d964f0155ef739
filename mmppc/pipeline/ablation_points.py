"""The seeds of a run at one threshold, from the table that its test left."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ClassPoint:
    """A class at a threshold, in percent; None where it does not occur.

    Attributes:
        iou: Intersection over union.
        recall: Share of its pixels that are labelled foreground of any class; None for the background.
        false_positives: Share of the background's pixels that are labelled with it; None for the background.
    """

    iou: float | None
    recall: float | None
    false_positives: float | None


@dataclass(frozen=True)
class Point:
    """All classes at a threshold, in percent.

    Attributes:
        threshold: In [0, 1).
        miou: Mean IoU of the classes.
        fg_recall: Share of the foreground pixels that are labelled foreground.
        bg_false_positives: Share of the background pixels that are.
        classes: Name -> figures, the background first.
    """

    threshold: float
    miou: float | None
    fg_recall: float | None
    bg_false_positives: float | None
    classes: dict[str, ClassPoint]


def has_rates(path: Path) -> bool:
    """Whether there is a table and it has the rates of the foreground."""
    if not path.is_file():
        return False
    with path.open(encoding='utf-8', newline='') as file:
        return 'bg_false_positives' in next(csv.reader(file), [])


def read_point(path: Path, threshold: float) -> Point:
    """The line of a threshold in ``seed_metric_<split>.csv``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no such threshold, or is no such table.
    """
    if not path.is_file():
        raise FileNotFoundError(f'table of thresholds not found: {path}')
    with path.open(encoding='utf-8', newline='') as file:
        header, *lines = list(csv.reader(file)) or [[]]
    # threshold, mIoU, 1 + C classes, fg_recall, bg_false_positives, C recalls, C false positives
    count = (len(header) - 2) // 3
    if (
        len(header) != 3 * count + 2
        or header[:2] != ['threshold', 'mIoU']
        or header[2 + count : 4 + count] != ['fg_recall', 'bg_false_positives']
    ):
        raise ValueError(f'{path}: found the columns {header}, expected those of SeedMetric')
    names = header[2 : 2 + count]
    for line in lines:
        if not math.isclose(float(line[0]), threshold, abs_tol=1e-9):
            continue
        values = [float(cell) if cell else None for cell in line[1:]]
        rates = [None, *values[3 + count : 2 + 2 * count]], [None, *values[2 + 2 * count :]]
        return Point(
            threshold,
            miou=values[0],
            fg_recall=values[1 + count],
            bg_false_positives=values[2 + count],
            classes={
                name: ClassPoint(*found)
                for name, *found in zip(names, values[1 : 1 + count], *rates)
            },
        )
    found = f'{lines[0][0]} to {lines[-1][0]}' if lines else 'none'
    raise ValueError(
        f'{path}: expected the threshold {threshold:g}, found {len(lines)} others ({found})'
    )
