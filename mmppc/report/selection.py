"""Which pictures a page shows: the best, the median and the worst of every split, column and class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmppc.report.picture_scores import PictureScores

KINDS = ('worst', 'median', 'best')
OVERVIEW = 4
"""Pictures of each kind in the first view."""
LONGEST = 12
"""Pictures of each kind at most."""


@dataclass(frozen=True)
class Group:
    """Pictures of a split that show a class, in order of one column's IoU.

    Attributes:
        split: Name of the split.
        column: Key of the column.
        label: Class whose IoU orders them; None for the mean over a picture's classes, of all pictures.
        total: How many there are.
        members: ``worst`` (the lowest first), ``median`` (ascending) and ``best`` (the highest first), as places among
            the pictures; no picture is in two of them.
    """

    split: str
    column: str
    label: int | None
    total: int
    members: dict[str, tuple[int, ...]]


def make_groups(
    splits: Sequence[str],
    columns: Sequence[str],
    scores: Sequence[PictureScores],
    of: Sequence[str],
) -> list[Group]:
    """Groups of all splits, columns and classes that have scored pictures.

    Args:
        splits: Names of the splits.
        columns: Keys of the columns.
        scores: Scores of the pictures.
        of: Split of each picture.
    """
    groups = []
    for split in splits:
        places = [index for index, name in enumerate(of) if name == split]
        for column in columns:
            rated = [index for index in places if column in scores[index].scores]
            if not rated:
                continue
            means = [(scores[index].scores[column].mean, index) for index in rated]
            groups.append(_group(split, column, None, means))
            for label in sorted({label for index in rated for label in scores[index].classes}):
                values = [
                    (scores[index].scores[column].classes.get(label, 0.0), index)
                    for index in rated
                    if label in scores[index].classes
                ]
                groups.append(_group(split, column, label, values))
    return groups


def choose(
    groups: Sequence[Group],
    scores: Sequence[PictureScores],
    of: Sequence[str],
    names: Sequence[str],
    limit: int,
) -> list[int]:
    """Places of at most ``limit`` pictures to show, ascending.

    Of every split and column some of the worst, the median and the best come first, then those of every class. A
    split without scores gets its share of pictures that lie evenly among its sorted names.
    """
    if limit <= 0:
        return []
    with_scores = {group.split for group in groups}
    blind = [split for split in dict.fromkeys(of) if split not in with_scores]
    chosen: dict[int, None] = {}
    for position, split in enumerate(blind):
        places = sorted((i for i, name in enumerate(of) if name == split), key=lambda i: names[i])
        share = (limit - len(chosen)) // (len(blind) - position + bool(with_scores))
        count = min(len(places), max(share, 1))
        chosen.update({places[k * len(places) // count]: None for k in range(count)})
    for index in _in_turn(groups):
        if len(chosen) >= limit:
            break
        chosen[index] = None
    if with_scores and len(chosen) < limit:
        # Room is left: whatever else there is, so that small sets are shown whole.
        for index in range(len(scores)):
            if len(chosen) >= limit:
                break
            chosen[index] = None
    return sorted(list(chosen)[:limit])


def _group(
    split: str, column: str, label: int | None, values: Sequence[tuple[float, int]]
) -> Group:
    order = [index for _, index in sorted(values)]
    count = min(LONGEST, -(-len(order) // 3))
    worst, rest = order[:count], order[count:]
    best, rest = rest[::-1][:count], rest[: max(0, len(rest) - count)]
    start = max(0, (len(rest) - count) // 2)
    median = rest[start : start + count]
    return Group(
        split,
        column,
        label,
        len(order),
        {'worst': tuple(worst), 'median': tuple(median), 'best': tuple(best)},
    )


def _in_turn(groups: Sequence[Group]) -> Iterator[int]:
    """Members of all groups, first those of the first view, then by rank."""
    whole = [group for group in groups if group.label is None]
    single = [group for group in groups if group.label is not None]
    for rank in range(OVERVIEW):
        yield from _of_rank(whole, rank)
    for rank in range(LONGEST):
        yield from _of_rank(single, rank)
        yield from _of_rank(whole, rank)


def _of_rank(groups: Sequence[Group], rank: int) -> Iterator[int]:
    for kind in KINDS:
        for group in groups:
            # Of the median pictures the middle ones first, outwards.
            members = group.members[kind]
            if kind == 'median':
                middle = (len(members) - 1) / 2
                members = tuple(
                    member
                    for _, member in sorted(
                        enumerate(members), key=lambda item: abs(item[0] - middle)
                    )
                )
            if rank < len(members):
                yield members[rank]
