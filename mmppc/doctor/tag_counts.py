"""Can the classes be learnt from so many pictures?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmppc.doctor.finding import OK, SKIPPED, WARNING, Finding, plural
from mmppc.doctor.tag_table import TagTable

RARE = 10
"""Training pictures; from fewer, a class is hardly learnt."""


def check_untagged(of: str, table: TagTable, keys: Sequence[str], *, ignored: bool) -> Finding:
    """Pictures whose row holds no tag.

    Args:
        of: The part for the name of the question, e.g. ``' of train'``.
        table: The tags.
        keys: Its sample ids.
        ignored: Whether a training passes over tags that are no class; else these have their own finding.
    """
    size = table.num_classes if ignored else len(table.names)
    check = f'tags: empty rows{of}'
    rows = [key for key in keys if key in table.rows]
    empty = [key for key in rows if not table.rows[key][:size].any()]
    if empty:
        return Finding(
            check,
            WARNING,
            f'{len(empty)} of {len(rows)} pictures without a tag: background only, for a training',
            'right if they show no class; else add their tags',
            tuple(empty),
        )
    return Finding(check, OK, 'none')


def check_counts(of: str, table: TagTable, keys: Sequence[str], *, learnt: bool) -> list[Finding]:
    """Classes that occur never, seldom, always, or never without another one.

    Args:
        of: The part for the name of the question, e.g. ``' of train'``.
        table: The tags.
        keys: Its sample ids.
        learnt: Whether a network is trained on the part.
    """
    check = f'tags: classes{of}'
    classes = table.names[: table.num_classes]
    counts = dict(zip(classes, table.counts(keys).tolist()))
    total = sum(key in table.rows for key in keys)
    if not total:
        return [Finding(check, SKIPPED, 'no picture has a row')]
    findings = _absent(check, counts, learnt)
    if learnt:
        findings += _rare(check, counts)
        findings += _everywhere(check, counts, total)
        findings += _inseparable(check, classes, table.together(keys), total)
    if findings:
        return findings
    listed = ', '.join(f'{label} {count}' for label, count in sorted(counts.items(), key=_most))
    return [Finding(check, OK, f'pictures a class: {listed}')]


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _absent(check: str, counts: dict[str, int], learnt: bool) -> list[Finding]:
    absent = [label for label, count in counts.items() if not count]
    if not absent:
        return []
    why = 'which cannot be learnt' if learnt else 'of which nothing is measured'
    return [
        Finding(
            check,
            WARNING,
            f'{len(absent)} of {len(counts)} classes without a picture, {why}',
            'add pictures of them' + (', or remove them from the classes' if learnt else ''),
            tuple(absent),
        )
    ]


def _rare(check: str, counts: dict[str, int]) -> list[Finding]:
    rare = {label: count for label, count in counts.items() if 0 < count < RARE}
    if not rare:
        return []
    return [
        Finding(
            check,
            WARNING,
            f'{len(rare)} of {len(counts)} classes with fewer than {RARE} pictures',
            'add pictures of them, or expect poor masks',
            tuple(f'{label} ({count})' for label, count in sorted(rare.items(), key=_most)),
        )
    ]


def _everywhere(check: str, counts: dict[str, int], total: int) -> list[Finding]:
    always = [label for label, count in counts.items() if count == total and total > 1]
    if not always:
        return []
    return [
        Finding(
            check,
            WARNING,
            f'{plural(len(always), "class", "classes")} on every picture: a network that always says yes is right, and '
            'need not look where',
            'add pictures without it (with an empty row if they show no class)',
            tuple(always),
        )
    ]


def _inseparable(
    check: str, classes: Sequence[str], together: np.ndarray, total: int
) -> list[Finding]:
    pairs = []
    alone = together.diagonal()
    for first, label in enumerate(classes):
        for second, other in enumerate(classes):
            if first == second or alone[first] < RARE or together[first, second] < alone[first]:
                continue
            if alone[second] == total:
                continue  # a class on every picture has its own finding
            if alone[second] == alone[first] and second < first:
                continue  # each only with the other: named once
            pairs.append(f'{label} only with {other} ({alone[first]} pictures)')
    if not pairs:
        return []
    return [
        Finding(
            check,
            WARNING,
            f'{plural(len(pairs), "class", "classes")} never without a certain other one, which its maps may show',
            'add pictures of them alone',
            tuple(pairs),
        )
    ]
