"""Does the picture folder hold pictures that nothing reads?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mmppc.datasets.names import PICTURE_SUFFIXES
from mmppc.doctor.finding import WARNING, Finding, plural

CHECK = 'pictures: other files'
FOREIGN_SUFFIXES = (
    '.heic', '.heif', '.avif', '.gif', '.jfif', '.jpe', '.jp2', '.jxl', '.svg', '.psd', '.tga', '.dng', '.raw',
    '.cr2', '.cr3', '.nef', '.arw', '.orf', '.rw2', '.eps', '.pdf', '.mp4', '.mov', '.avi', '.mkv',
)  # fmt: skip
"""Suffixes of pictures and videos that are passed over."""


def check_other_files(folder: Path) -> list[Finding]:
    """Pictures and videos of kinds that are passed over; no finding if there are none."""
    names = foreign_files(folder)
    if not names:
        return []
    kinds = sorted({os.path.splitext(name)[1].lower() for name in names})
    return [
        Finding(
            CHECK,
            WARNING,
            f'{plural(len(names), "file")} passed over for the kind: {", ".join(kinds)}',
            f'save them as JPEG or PNG, if they belong to the data (read are {", ".join(PICTURE_SUFFIXES)})',
            tuple(names),
        )
    ]


def foreign_files(folder: Path, suffixes: Sequence[str] = FOREIGN_SUFFIXES) -> list[str]:
    """Files below ``folder`` with one of the suffixes, by their paths below it; hidden ones are passed over."""
    found = []
    for base, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for file in sorted(files):
            if not file.startswith('.') and file.lower().endswith(tuple(suffixes)):
                found.append(Path(base, file).relative_to(folder).as_posix())
    return found
