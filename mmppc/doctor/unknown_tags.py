"""Is every tag the name of a class, spelt alike?"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from mmppc.datasets.names import nearest_names
from mmppc.doctor.finding import ERROR, OK, WARNING, Finding, plural
from mmppc.doctor.tag_table import TagTable

CHECK = 'tags: spelling'
_ALIKE = 0.8
_RARE = 3
_RARE_SHARE = 0.1


def check_unknown(table: TagTable, *, ignored: bool) -> Finding:
    """Tags that are no class, with the classes they look like.

    Args:
        table: The tags.
        ignored: Whether a training passes over such tags.
    """
    classes, unknown = table.names[: table.num_classes], table.names[table.num_classes :]
    if not unknown:
        return Finding(CHECK, OK, f'all are among the {len(classes)} classes')
    counts = table.counts(table.rows)[table.num_classes :]
    listed = tuple(
        f'{name!r} on {plural(count, "picture")} ({nearest_names(name, classes)})'
        for name, count in sorted(zip(unknown, counts), key=lambda pair: -pair[1])
    )
    found = f'{plural(len(unknown), "tag")} not among the {len(classes)} classes'
    if ignored:
        return Finding(
            CHECK,
            WARNING,
            f'{found}; passed over (ignore_unknown_tags)',
            'nothing, if that is what you want',
            listed,
        )
    return Finding(
        CHECK,
        ERROR,
        found,
        'correct them, or add them to the classes; to use only some classes: '
        'train_dataloader.dataset.ignore_unknown_tags=True (and of val_ and test_dataloader)',
        listed,
    )


def check_alike(counts: Mapping[str, int]) -> Finding:
    """Tags that may be one tag in two spellings, where no list of classes tells.

    Args:
        counts: Tag -> how many pictures have it.
    """
    pairs = [
        f'{rare!r} ({plural(counts[rare], "picture")}) and {common!r} ({counts[common]})'
        for rare, common in alike(counts)
    ]
    if pairs:
        return Finding(
            CHECK,
            WARNING,
            f'{plural(len(pairs), "pair")} of tags that look like one tag in two spellings; each would be a class',
            'spell them alike, or write classes.txt to say that both are meant',
            tuple(pairs),
        )
    return Finding(CHECK, OK, f'{len(counts)} different tags')


def alike(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Pairs (rarer, more common) that differ in case only, or of which a rare one looks like a common one.

    >>> alike({'cat': 40, 'Cat': 2, 'cow': 30, 'kow': 1})
    [('Cat', 'cat'), ('kow', 'cow')]
    """
    names: Sequence[str] = sorted(counts, key=lambda name: (-counts[name], name))
    pairs = []
    for place, rare in enumerate(names):
        is_rare = counts[rare] < _RARE
        for common in names[:place]:
            same = rare.casefold() == common.casefold()
            near = difflib.SequenceMatcher(None, rare, common).ratio() >= _ALIKE
            shaky = is_rare and counts[rare] <= _RARE_SHARE * counts[common]
            close = near or (len(rare) > 2 and _distance_one(rare, common))
            if same or (shaky and close):
                pairs.append((rare, common))
                break
    return sorted(pairs)


def _distance_one(first: str, second: str) -> bool:
    """Whether one letter makes the difference."""
    if abs(len(first) - len(second)) > 1:
        return False
    if len(first) == len(second):
        return sum(a != b for a, b in zip(first, second)) == 1
    short, long = sorted((first, second), key=len)
    return any(long[:place] + long[place + 1 :] == short for place in range(len(long)))
