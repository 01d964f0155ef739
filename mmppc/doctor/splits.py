"""Do the lists name pictures that are there, each once, and none in both splits?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from mmppc.datasets.names import nearest_names, sample_id
from mmppc.doctor.finding import ERROR, OK, WARNING, Finding, plural


@dataclass
class Match:
    """The lines of a list and the pictures of a folder.

    Attributes:
        pictures: Sample id -> path below the folder, of the lines that name exactly one picture.
        missing: Lines that name no picture.
        ambiguous: Lines that may name several.
        repeated: Lines that name a picture again.
    """

    pictures: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)


def match_list(lines: Sequence[str], files: Mapping[str, Sequence[str]]) -> Match:
    """Match as :class:`~mmppc.datasets.TaggedImageDataset` does, but all lines, not up to the first problem.

    Args:
        lines: Pictures with or without their suffix.
        files: Sample id -> paths below the picture folder.
    """
    match = Match()
    for line in lines:
        candidates = files.get(sample_id(line)) or files.get(_spelling(line)) or []
        exact = [path for path in candidates if _spelling(path) == _spelling(line)]
        if not candidates:
            match.missing.append(line)
        elif not exact and len(candidates) > 1:
            match.ambiguous.append(f'{line}: {" or ".join(candidates)}')
        else:
            path = (exact or candidates)[0]
            if sample_id(path) in match.pictures:
                match.repeated.append(line)
            else:
                match.pictures[sample_id(path)] = path
    return match


def check_list(
    name: str, lines: Sequence[str], match: Match, known: Sequence[str]
) -> list[Finding]:
    """What a training refuses about a list.

    Args:
        name: Of the part, e.g. ``'train'``.
        lines: Of its list.
        match: Of these lines with the pictures.
        known: All sample ids of the folder.
    """
    check = f'list of {name}'
    if not lines:
        return [
            Finding(check, ERROR, 'empty', 'write one picture a line, with or without its suffix')
        ]
    findings = []
    if match.missing:
        findings.append(
            Finding(
                check,
                ERROR,
                f'{len(match.missing)} of {len(lines)} lines without a picture',
                _how_to_name(match.missing, known),
                tuple(match.missing),
            )
        )
    if match.ambiguous:
        findings.append(
            Finding(
                check,
                ERROR,
                f'{plural(len(match.ambiguous), "line")} with several files to choose from',
                'remove all but one of each, or write the suffix',
                tuple(match.ambiguous),
            )
        )
    if match.repeated:
        findings.append(
            Finding(
                check,
                ERROR,
                f'{plural(len(match.repeated), "line")} with a picture that was named before',
                'remove the repeated lines: sort -u LIST',
                tuple(match.repeated),
            )
        )
    return findings or [Finding(check, OK, plural(len(match.pictures), 'picture'))]


def check_overlap(parts: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """Pictures in several parts; figures of a picture that was trained on come out too good.

    Args:
        parts: Name of a part -> its pictures by their sample ids. ``'train, test'`` is a part of both splits.
    """
    if len(parts) < 2:
        return []
    findings = []
    for (first, ours), (second, theirs) in combinations(parts.items(), 2):
        both = sorted(set(ours) & set(theirs))
        if both and 'test' not in (first, second):
            findings.append(
                Finding(
                    'lists: overlap',
                    WARNING,
                    f'{plural(len(both), "picture")} both in {first} and in {second}, whose figures come out too good',
                    f'remove them from the list of {first} or of {second}',
                    tuple(both),
                )
            )
    return findings or [Finding('lists: overlap', OK, f'no picture in two of {", ".join(parts)}')]


def _spelling(path: str) -> str:
    """A path below the picture folder as sample ids are spelt, with its suffix."""
    path = unicodedata.normalize('NFC', path).replace('\\', '/')
    return path[2:] if path.startswith('./') else path


def _how_to_name(missing: Sequence[str], known: Sequence[str]) -> str:
    first = missing[0]
    keys = set(known)
    if re.search(r'\s-?[01]$', first) and first.split()[0] in keys:
        return 'these are lists of one class ("name 1"): keep the first column, cut -d" " -f1 LIST'
    if len(first.split()) > 1 and all('/' in part for part in first.split()):
        return 'these lines hold paths of pictures and masks: keep the names of the pictures alone'
    stem = sample_id(first).rpartition('/')[2]
    if stem in keys:
        return f'write paths below the picture folder: {stem!r} instead of {first!r}'
    below = next((key for key in known if key.rpartition('/')[2] == stem), None)
    if below is not None:
        return f'write paths below the picture folder: {below!r} instead of {first!r}'
    hint = nearest_names(sample_id(first), list(known)) if len(known) < 20_000 else ''
    hint = f' ({hint})' if hint.startswith('nearest') else ''
    return f'remove these lines, or add the pictures{hint}'
