"""The background threshold of masks, and where it came from."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from mmengine.logging import print_log


@dataclass(frozen=True)
class Threshold:
    """A background score.

    Attributes:
        value: In [0, 1).
        source: Where it came from, for people.
        tta: Whether it was chosen on maps with test-time augmentation; None where nobody knows.
    """

    value: float
    source: str
    tta: bool | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.value < 1:
            raise ValueError(f'threshold={self.value}: expected a background score in [0, 1)')


def resolve_threshold(
    given: float | str | os.PathLike | Threshold | None, default: Threshold
) -> Threshold:
    """The threshold that ``given`` means.

    Args:
        given: A number, a ``seed_metric_<split>.json`` (its best threshold), a threshold with its origin, or None.
        default: For None.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is of another kind, or the number is not in [0, 1).
    """
    if given is None:
        return default
    if isinstance(given, Threshold):
        return given
    if isinstance(given, (str, os.PathLike)):
        return best_threshold(given)
    return Threshold(float(given), 'given')


def best_threshold(path: str | os.PathLike) -> Threshold:
    """The best threshold of a report of ``SeedMetric``; errors as of :func:`resolve_threshold`."""
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(
            f'{file}: no such file, expected the seed_metric_<split>.json that tools/test.py writes'
        )
    try:
        report = json.loads(file.read_text(encoding='utf-8'))
        value, split = float(report['best_threshold']), report['split']
        tta = (report.get('conditions') or {}).get('tta')
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{file}: not a seed_metric_<split>.json, expected best_threshold and split ({error})'
        ) from error
    return Threshold(value, f'best of {file}, chosen on {split}', tta)


def warn_of_other_maps(threshold: Threshold, tta: bool) -> None:
    """Say so if the threshold was chosen on maps that were made otherwise."""
    if threshold.tta is not None and threshold.tta != tta:
        chosen, now = ('with', 'without') if threshold.tta else ('without', 'with')
        advice = ' (tta=True or --tta makes them as then)' if threshold.tta else ''
        print_log(
            f'The threshold {threshold.value:g} ({threshold.source}) was chosen {chosen} test-time augmentation, the '
            f'maps are now made {now} it{advice}.',
            logger='current',
            level=logging.WARNING,
        )
