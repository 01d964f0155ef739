"""Can every picture be decoded to its end?"""

from __future__ import annotations

from collections.abc import Mapping

from mmppc.doctor.facts import PictureFacts
from mmppc.doctor.finding import ERROR, OK, SKIPPED, Finding

CHECK = 'pictures: readable'


def check_readable(pictures: Mapping[str, PictureFacts]) -> Finding:
    """Unreadable, truncated and empty files; a training stops at the first of them.

    Args:
        pictures: Name -> what was read.
    """
    broken = [f'{name} ({facts.problem})' for name, facts in pictures.items() if facts.problem]
    if not pictures:
        return Finding(CHECK, SKIPPED, 'no picture to read')
    if broken:
        return Finding(
            CHECK,
            ERROR,
            f'{len(broken)} of {len(pictures)} cannot be read',
            'copy them again from where they come from, or remove them and their rows and lines in tags and lists',
            tuple(broken),
        )
    return Finding(CHECK, OK, f'all {len(pictures)} decoded to the end')
