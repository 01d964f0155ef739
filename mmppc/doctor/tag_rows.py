"""Has every picture its row of tags, and every row its picture?"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence

from mmppc.doctor.finding import ERROR, OK, WARNING, Finding
from mmppc.doctor.tag_table import TagTable

_COMPARED = 100
"""Names; comparing more of them takes long."""


def check_rows(
    table: TagTable, parts: Mapping[str, Sequence[str]], folder: Collection[str], *, listed: bool
) -> list[Finding]:
    """Pictures without a row, and rows without a picture.

    Args:
        table: The tags.
        parts: Name of a part -> its sample ids.
        folder: All sample ids of the picture folder.
        listed: Whether lists say which pictures count.
    """
    used = {key for keys in parts.values() for key in keys}
    without = sorted(used - set(table.rows))
    findings = []
    if without:
        common = 'add a row for each (an empty one if it shows no class)'
        findings.append(
            Finding(
                'tags: missing rows',
                ERROR,
                f'{len(without)} of {len(used)} pictures without a row',
                common
                if listed
                else f'{common}; mmppc run leaves them out, other trainings refuse the folder',
                tuple(without),
            )
        )
    else:
        findings.append(Finding('tags: missing rows', OK, f'all {len(used)} pictures have a row'))
    idle = sorted(set(table.rows) - set(folder))
    if idle:
        findings.append(
            Finding(
                'tags: rows without a picture',
                WARNING,
                f'{len(idle)} of {len(table.rows)} rows without a picture in the folder',
                'rows are named by the path below the picture folder, with or without the suffix'
                if len(idle) == len(table.rows)
                else 'correct the names, or remove these rows',
                _with_nearest(idle, without),
            )
        )
    else:
        findings.append(Finding('tags: rows without a picture', OK, 'none'))
    return findings


def _with_nearest(rows: Sequence[str], pictures: Sequence[str]) -> tuple[str, ...]:
    """Rows, the first ones with the picture without a row that has the nearest name."""
    texts = list(rows)
    for place, row in enumerate(rows[:_COMPARED]):
        near = difflib.get_close_matches(row, pictures[:_COMPARED], n=1, cutoff=0.7)
        if near:
            texts[place] = f'{row} (meant for {near[0]}?)'
    return tuple(texts)
