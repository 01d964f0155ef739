"""Is everything there that a config names beside its data?"""

from __future__ import annotations

from collections.abc import Sequence

from mmppc.doctor.finding import ERROR, OK, WARNING, Finding
from mmppc.doctor.layout import Layout, NamedFile


def check_named_files(files: Sequence[NamedFile]) -> list[Finding]:
    """Weights, seeds and other folders that are missing."""
    findings = []
    for file in files:
        check = f'config: {file.setting}'
        if file.path.exists():
            findings.append(Finding(check, OK, str(file.path)))
        else:
            findings.append(
                Finding(check, ERROR, f'{file.path}: not there', f'it comes from {file.maker}')
            )
    return findings


def check_root(layout: Layout) -> list[Finding]:
    """Whether the folder of a config's data is there; no finding if it is."""
    if layout.root is None or layout.root.is_dir():
        return []
    return [
        Finding(
            'config: data_root',
            ERROR,
            f'{layout.root}: no such folder',
            'put or link the data there, or name their folder: --cfg-options data_root=DIR',
        )
    ]


def check_others(others: Sequence[str]) -> list[Finding]:
    """Datasets of other kinds, which are not looked at."""
    if not others:
        return []
    return [
        Finding(
            'config: datasets',
            WARNING,
            'not looked at, as only a TaggedImageDataset is: ' + ', '.join(others),
        )
    ]
