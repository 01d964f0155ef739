"""How large are the pictures, and is any too small, too large or too long?"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from mmppc.doctor.facts import PictureFacts
from mmppc.doctor.finding import OK, SKIPPED, WARNING, Finding, plural

CHECK = 'pictures: sizes'
SMALL_SIDE = 64
"""Pixels of the shorter side; a network at stride 8 or 16 sees 8 or 4 cells of it."""
LARGE_AREA = 6_000_000
"""Pixels; scores, the CRF and the masks work at the picture's own size."""
LONG_RATIO = 5
"""Of the longer to the shorter side; a square crop of a picture may miss what its tags name."""


def check_sizes(pictures: Mapping[str, PictureFacts]) -> list[Finding]:
    """The sizes, and a warning for each kind of size that is doubtful.

    Args:
        pictures: Name -> what was read; unreadable ones are passed over.
    """
    sizes = {name: facts.size for name, facts in pictures.items() if not facts.problem}
    if not sizes:
        return [Finding(CHECK, SKIPPED, 'no picture could be read')]
    small = [name for name, size in sizes.items() if min(size) < SMALL_SIDE]
    large = [name for name, (height, width) in sizes.items() if height * width > LARGE_AREA]
    long = [name for name, size in sizes.items() if max(size) > LONG_RATIO * min(size)]
    findings = []
    if small:
        findings.append(
            Finding(
                CHECK,
                WARNING,
                f'{plural(len(small), "picture")} with a side below {SMALL_SIDE} pixels: too few cells of a network '
                'to find anything in',
                'remove them, or use larger versions',
                _with_sizes(small, sizes),
            )
        )
    if large:
        findings.append(
            Finding(
                CHECK,
                WARNING,
                f'{plural(len(large), "picture")} above {LARGE_AREA // 1_000_000} million pixels: seeds and the CRF '
                'work at full size, which takes long and much memory',
                'make them smaller first, e.g. to a longer side of 1000; masks with them, without interpolation',
                _with_sizes(large, sizes),
            )
        )
    if long:
        findings.append(
            Finding(
                CHECK,
                WARNING,
                f'{plural(len(long), "picture")} more than {LONG_RATIO} times as long as wide: a crop may '
                'miss what the tags name',
                'cut them into pieces with tags of their own',
                _with_sizes(long, sizes),
            )
        )
    return findings or [Finding(CHECK, OK, describe_sizes(list(sizes.values())))]


def describe_sizes(sizes: list[tuple[int, int]]) -> str:
    """Median and extremes of (H, W) sizes, as width x height.

    >>> describe_sizes([(375, 500), (375, 500), (500, 333)])
    '500x375 in the middle, 333x500 .. 500x375 by area'
    """
    by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    height, width = (int(median(size[axis] for size in sizes)) for axis in (0, 1))
    if by_area[0] == by_area[-1]:
        return f'all {width}x{height}'
    return f'{width}x{height} in the middle, {_text(by_area[0])} .. {_text(by_area[-1])} by area'


def _with_sizes(names: list[str], sizes: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    return tuple(f'{name} ({_text(sizes[name])})' for name in names)


def _text(size: tuple[int, int]) -> str:
    return f'{size[1]}x{size[0]}'
