"""What a check found.

Nothing but the standard library: ``mmppc doctor`` loads this file by its path where mmppc cannot be imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

OK = 'ok'
WARNING = 'warning'
ERROR = 'error'
SKIPPED = 'skipped'
STATUSES = (ERROR, WARNING, OK, SKIPPED)
"""A training refuses what is an error, and accepts what is a warning, which is doubtful all the same."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Attributes:
        check: What was asked, e.g. ``'pictures: readable'``.
        status: One of :data:`STATUSES`.
        found: What was found, one sentence or a few words.
        remedy: What to do about it; empty where nothing is to be done.
        examples: Everything it is about, by name; a table shows the first few.
    """

    check: str
    status: str
    found: str
    remedy: str = ''
    examples: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f'{self.check}: status={self.status!r}, expected one of {STATUSES}')

    def as_json(self) -> dict[str, Any]:
        """What JSON holds of it, with all examples."""
        return {
            'check': self.check,
            'status': self.status,
            'found': printable(self.found),
            'remedy': printable(self.remedy),
            'examples': [printable(name) for name in self.examples],
        }


@dataclass(frozen=True)
class Section:
    """Findings about one subject, e.g. the installation."""

    title: str
    findings: Sequence[Finding] = field(default_factory=tuple)

    def as_json(self) -> dict[str, Any]:
        """What JSON holds of it."""
        return {
            'title': printable(self.title),
            'findings': [finding.as_json() for finding in self.findings],
        }


def count(sections: Iterable[Section]) -> dict[str, int]:
    """How many findings of each status there are."""
    totals = dict.fromkeys(STATUSES, 0)
    for section in sections:
        for finding in section.findings:
            totals[finding.status] += 1
    return totals


def exit_code(sections: Iterable[Section], *, strict: bool = False) -> int:
    """1 if anything is an error (``strict``: or a warning), else 0."""
    totals = count(sections)
    return int(bool(totals[ERROR] or (strict and totals[WARNING])))


def plural(number: int, noun: str, many: str | None = None) -> str:
    """``number`` with its noun.

    >>> plural(1, 'class', 'classes'), plural(0, 'tag')
    ('1 class', '0 tags')
    """
    return f'{number} {noun if number == 1 else many or noun + "s"}'


def printable(text: str) -> str:
    r"""``text`` as every terminal and JSON can hold it: bytes of a file name that are not UTF-8 become ``\xe4``."""
    text = re.sub('[\udc80-\udcff]', lambda match: f'\\x{ord(match[0]) - 0xDC00:02x}', text)
    return text.encode('utf-8', 'backslashreplace').decode('utf-8')
