"""Is a picture there more than once?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmppc.doctor.facts import PictureFacts
from mmppc.doctor.finding import OK, SKIPPED, WARNING, Finding, plural

CHECK = 'pictures: duplicates'
_SHOWN = 4


def check_duplicates(
    pictures: Mapping[str, PictureFacts],
    parts: Mapping[str, Sequence[str]],
    tags: Mapping[str, tuple[str, ...]],
) -> list[Finding]:
    """Pictures with the very same pixels under several names.

    Args:
        pictures: Name -> what was read; unreadable ones are passed over.
        parts: Name of a part -> names of its pictures.
        tags: Name -> tags, of those that have any row.
    """
    groups: dict[bytes, list[str]] = {}
    for name, facts in pictures.items():
        if not facts.problem:
            groups.setdefault(facts.digest, []).append(name)
    same = [sorted(names) for names in groups.values() if len(names) > 1]
    if not groups:
        return [Finding(CHECK, SKIPPED, 'no picture could be read')]
    if not same:
        return [Finding(CHECK, OK, 'none')]
    learnt = {name for part in _parts_of(parts, 'train') for name in part}
    measured = {name for part in _parts_of(parts, 'val') for name in part}
    leaks = [
        names
        for names in same
        if any(name in learnt for name in names)
        and any(name in measured - learnt for name in names)
    ]
    torn = [names for names in same if len({tags[name] for name in names if name in tags}) > 1]
    findings = [
        Finding(
            CHECK,
            WARNING,
            f'{plural(sum(len(names) - 1 for names in same), "picture")} with the pixels of another one',
            'keep one of each',
            _listed(same),
        )
    ]
    if leaks:
        findings.append(
            Finding(
                CHECK,
                WARNING,
                f'{plural(len(leaks), "picture")} in train and, renamed, in val, whose figures come out too good',
                'take them out of one of both lists',
                _listed(leaks),
            )
        )
    if torn:
        findings.append(
            Finding(
                CHECK,
                WARNING,
                f'{plural(len(torn), "picture")} with different tags under different names',
                'keep one of each, with all of its tags',
                _listed(torn),
            )
        )
    return findings


def _parts_of(parts: Mapping[str, Sequence[str]], split: str) -> list[Sequence[str]]:
    return [names for part, names in parts.items() if split in part.split(', ')]


def _listed(groups: Sequence[list[str]]) -> tuple[str, ...]:
    return tuple(
        ' = '.join(names[:_SHOWN])
        + (f' = ... ({len(names)} in all)' if len(names) > _SHOWN else '')
        for names in sorted(groups)
    )
