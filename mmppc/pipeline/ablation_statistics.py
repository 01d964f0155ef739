"""Means over seeds and differences paired by seed, with Student's intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import t

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean and how well some values know it.

    Attributes:
        mean: Of the values, in their unit.
        half_width: The interval is ``mean`` plus and minus this; None of a single value.
        count: Number of values.
    """

    mean: float
    half_width: float | None
    count: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval is on one side of 0."""
        return self.half_width is not None and abs(self.mean) > self.half_width


def estimate(values: Sequence[float], level: float = LEVEL) -> Estimate | None:
    """Mean and interval by Student's t, for values that are drawn independently from a normal distribution.

    Args:
        values: At least one, else the result is None.
        level: Share of such intervals that hold the true mean, in (0, 1).

    Examples:
        >>> found = estimate([1.0, 2.0, 3.0])
        >>> found.mean, round(found.half_width, 3)
        (2.0, 2.484)
    """
    count = len(values)
    if not count:
        return None
    mean = math.fsum(values) / count
    if count == 1:
        return Estimate(mean, None, 1)
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    factor = float(t.ppf((1 + level) / 2, count - 1))
    return Estimate(mean, factor * math.sqrt(variance / count), count)


def paired_difference(
    values: Mapping[int, float], reference: Mapping[int, float], level: float = LEVEL
) -> Estimate | None:
    """Mean of ``values - reference`` over the seeds that both have; what a seed does to both drops out.

    Args:
        values: Seed -> value.
        reference: Seed -> value it is compared with.
        level: See :func:`estimate`.

    Returns:
        None if no seed is in both.

    Examples:
        >>> found = paired_difference({0: 5.0, 1: 9.0, 2: 1.0}, {0: 4.0, 1: 7.5})
        >>> found.mean, round(found.half_width, 3), found.count
        (1.25, 3.177, 2)
    """
    shared = sorted(set(values) & set(reference))
    return estimate([values[seed] - reference[seed] for seed in shared], level)
