"""What a stage was made from, and what it gave: ``manifest.json`` in its folder."""

from __future__ import annotations

import functools
import importlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmppc.pipeline.digests import files_digest
from mmppc.storage.atomic import atomic_write
from mmppc.utils.checkpoint import find_latest_checkpoint

MANIFEST = 'manifest.json'


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a stage's folder; None if there is none.

    Raises:
        ValueError: The file is not a manifest.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding='utf-8'))
        missing = [
            key for key in ('id', 'state', 'settings', 'data', 'upstream') if key not in manifest
        ]
    except (ValueError, TypeError) as error:
        raise ValueError(
            f'{path}: not JSON ({error}); delete the folder to run the stage again'
        ) from None
    if missing:
        raise ValueError(
            f'{path}: fields {missing} are missing; delete the folder to run the stage again'
        )
    return manifest


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, whole or not at all."""
    with atomic_write(folder / MANIFEST, 'w') as file:
        json.dump(manifest, file, indent=1, ensure_ascii=False)


def versions() -> dict[str, str]:
    """Versions of what computes the figures; ``code`` is a digest of this package's own."""
    names = ('mmppc', 'torch', 'mmengine', 'mmcv', 'mmseg', 'numpy')
    found = {name: str(importlib.import_module(name).__version__) for name in names}
    return {'python': platform.python_version(), **found, 'code': _code_digest()}


@functools.cache
def _code_digest() -> str:
    package = Path(__file__).resolve().parents[1]
    paths = sorted(package.rglob('*.py'))
    return files_digest((path.relative_to(package).as_posix(), path) for path in paths)


def stage_outputs(folder: Path) -> dict[str, str]:
    """What a stage leaves in its folder, as paths relative to it."""
    outputs = {name: name for name in ('seeds', 'masks', 'predictions') if (folder / name).is_dir()}
    # MMEngine's `last_checkpoint` is written after the checkpoint: a kill in between leaves the one before in it.
    last = find_latest_checkpoint(folder)
    if last is not None:
        outputs['checkpoint'] = last.name
    return outputs


def count_files(folder: Path, outputs: Mapping[str, str]) -> dict[str, int]:
    """Files of each output, and of the reports beside them: fewer later on means that something was lost."""
    counts = {name: _files(folder / path) for name, path in outputs.items()}
    return {**counts, 'reports': sum(1 for _ in folder.glob('*_metric_*.json'))}


def _files(path: Path) -> int:
    if path.is_dir():
        return sum(
            1 for file in path.rglob('*') if file.is_file() and not file.name.startswith('.')
        )
    return int(path.is_file())
