"""The trained network in a work folder, of a pipeline or of a single training."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmppc.apis.cam_inferencer import CAMInferencer
from mmppc.apis.network_kind import AFFINITY, CAM, network_kind
from mmppc.apis.seg_inferencer import SegInferencer
from mmppc.apis.thresholds import Threshold, best_threshold
from mmppc.utils.checkpoint import find_latest_checkpoint

PIPELINE = 'pipeline.json'
MANIFEST = 'manifest.json'


@dataclass(frozen=True)
class TrainedNetwork:
    """A network on disk.

    Attributes:
        config: Its config file.
        checkpoint: Its weights; None if there are none beside the config.
        threshold: The background threshold that was chosen for its maps, if one was.
        title: What it is, for people.
    """

    config: Path
    checkpoint: Path | None
    threshold: Threshold | None
    title: str


def find_network(
    path: str | os.PathLike, checkpoint: str | os.PathLike | None = None, stage: str | None = None
) -> TrainedNetwork:
    """The network that ``path`` means.

    Args:
        path: A config file; the work folder of a training; the work folder of a pipeline, of which the last trained
            stage counts whose network takes pictures; or the folder of one of its stages.
        checkpoint: Weights, in place of the last ones of the folder.
        stage: Of a pipeline: which trained stage.

    Raises:
        FileNotFoundError: There is no such file, or the folder holds no trained network.
        ValueError: The folder holds several configs, a manifest is damaged, or ``stage`` is given without a pipeline.
    """
    place = Path(path).expanduser()
    if checkpoint is not None and not Path(checkpoint).is_file() and '://' not in str(checkpoint):
        raise FileNotFoundError(f'checkpoint not found: {checkpoint}')
    weights = None if checkpoint is None else Path(checkpoint)
    if not place.exists():
        raise FileNotFoundError(f'{place}: no such config file or work folder')
    if stage is not None and not (place / PIPELINE).is_file():
        raise ValueError(f"stage={stage!r}: {place} is no pipeline's work folder (no {PIPELINE})")
    if place.is_file():
        return TrainedNetwork(place, weights, None, place.stem)
    if (place / PIPELINE).is_file():
        return _of_pipeline(place, weights, stage)
    if (place / MANIFEST).is_file():
        return _of_stage(place, weights)
    return _of_training(place, weights)


def open_network(
    path: str | os.PathLike,
    checkpoint: str | os.PathLike | None = None,
    stage: str | None = None,
    *,
    device: str | torch.device | None = None,
    tta: bool = False,
    classes: Sequence[str] | str | os.PathLike | None = None,
    show_progress: bool = True,
) -> tuple[CAMInferencer | SegInferencer, TrainedNetwork]:
    """The inferencer for the network that ``path`` means, and where that was found; see :func:`find_network`.

    Raises:
        FileNotFoundError: As :func:`find_network`; or there are no weights.
        ValueError: As :func:`find_network`; or as the inferencers.
    """
    found = find_network(path, checkpoint, stage)
    if found.checkpoint is None:
        raise FileNotFoundError(
            f'{found.config}: a config alone has no weights; give the checkpoint too, or the work folder of a training'
        )
    cfg = Config.fromfile(str(found.config))
    inferencer = CAMInferencer if network_kind(cfg, tta) == CAM else SegInferencer
    opened = inferencer(
        cfg, found.checkpoint, device, tta=tta, classes=classes, show_progress=show_progress
    )
    return opened, found


def _of_pipeline(folder: Path, checkpoint: Path | None, stage: str | None) -> TrainedNetwork:
    order = _read_json(folder / PIPELINE).get('stages') or []
    manifests = {child.parent.name: _read_json(child) for child in folder.glob(f'*/{MANIFEST}')}
    trained = [name for name in manifests if _trained(manifests[name])]
    trained.sort(key=lambda name: order.index(name) if name in order else -1)
    if not trained:
        raise FileNotFoundError(
            f'{folder}: no stage of this pipeline has finished its training yet'
        )
    if stage is not None and stage not in trained:
        raise FileNotFoundError(
            f'{folder}: stage {stage!r} has no trained network, expected one of {", ".join(trained)}'
        )
    return _of_stage(folder / (stage or _last_of_pictures(folder, trained)), checkpoint)


def _last_of_pictures(folder: Path, trained: Sequence[str]) -> str:
    """The last of the trained stages whose network takes a picture alone; if there is none, the last."""
    for name in reversed(trained):
        config = folder / name / 'config.py'
        if config.is_file() and network_kind(Config.fromfile(str(config))) != AFFINITY:
            return name
    return trained[-1]


def _trained(manifest: Mapping[str, Any]) -> bool:
    return manifest.get('state') == 'finished' and 'checkpoint' in (manifest.get('outputs') or {})


def _of_stage(folder: Path, checkpoint: Path | None) -> TrainedNetwork:
    manifest = _read_json(folder / MANIFEST)
    outputs = manifest.get('outputs') or {}
    if checkpoint is None:
        if 'checkpoint' not in outputs:
            raise FileNotFoundError(
                f'{folder}: this stage ({manifest.get("state")}) has no checkpoint; expected a finished training, or '
                'give the checkpoint too'
            )
        checkpoint = folder / outputs['checkpoint']
        if not checkpoint.is_file():
            raise FileNotFoundError(f'{checkpoint}: not there, though {folder / MANIFEST} names it')
    config = folder / 'config.py'
    if not config.is_file():
        raise FileNotFoundError(f'{config}: not there, expected the config of the stage')
    title = str(manifest.get('title') or folder.name)
    return TrainedNetwork(config, checkpoint, _threshold_of_stage(folder), title)


def _threshold_of_stage(folder: Path) -> Threshold | None:
    """The threshold that later stages used on this network's maps."""
    manifests = {
        path.parent.name: _read_json(path) for path in sorted(folder.parent.glob(f'*/{MANIFEST}'))
    }
    for name, manifest in manifests.items():
        upstream, used = manifest.get('upstream') or {}, manifest.get('threshold')
        if not used or folder.name not in upstream:
            continue
        tests = [
            manifests[other] for other in upstream if manifests.get(other, {}).get('do') == 'test'
        ]
        tta = (tests[0].get('settings') or {}).get('tta') if tests else None
        return Threshold(
            float(used['value']), f'{used["source"]}, as in {folder.parent / name}', tta
        )
    return None


def _of_training(folder: Path, checkpoint: Path | None) -> TrainedNetwork:
    configs = sorted(folder.glob('*.py'))
    if len(configs) != 1:
        names = ', '.join(config.name for config in configs) or 'none'
        raise (ValueError if configs else FileNotFoundError)(
            f'{folder}: configs found: {names}; expected the one that a training leaves; else give the config file and '
            'the checkpoint'
        )
    if checkpoint is None:
        checkpoint = _last_checkpoint(folder)
        if checkpoint is None:
            raise FileNotFoundError(
                f'{folder}: no checkpoint (iter_N.pth or epoch_N.pth), expected a trained network'
            )
    cfg = Config.fromfile(str(configs[0]))
    report = (cfg.get('mask_stage') or {}).get('threshold_from')
    threshold = None
    if report and (folder / Path(report).name).is_file():
        threshold = best_threshold(folder / Path(report).name)
    return TrainedNetwork(configs[0], checkpoint, threshold, configs[0].stem)


def _last_checkpoint(folder: Path) -> Path | None:
    """What MMEngine's ``last_checkpoint`` names, in this folder: it may have been moved. Else the latest."""
    note = folder / 'last_checkpoint'
    if note.is_file():
        named = folder / Path(note.read_text(encoding='utf-8').strip()).name
        if named.is_file():
            return named
    return find_latest_checkpoint(folder)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding='utf-8')))
    except (ValueError, TypeError) as error:
        raise ValueError(f'{path}: not JSON, or damaged ({error})') from error
