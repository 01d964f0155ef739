"""Which stage of a run is finished, interrupted, stale or new, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmppc.datasets.names import PICTURE_SUFFIXES, list_files, read_lines, sample_id
from mmppc.pipeline.definition import Pipeline, Stage
from mmppc.pipeline.digests import (
    changes,
    digest,
    files_digest,
    plain,
    sizes_digest,
    summary,
    times_digest,
)
from mmppc.pipeline.manifest import count_files, read_manifest, stage_outputs
from mmppc.pipeline.own_data import DataFiles
from mmppc.pipeline.relevant_settings import relevant_settings
from mmppc.pipeline.stage_config import (
    initial_weights,
    placeless,
    split_of,
    stage_config,
)

_NEEDED = {'train': ('checkpoint',), 'test': (), 'masks': ('masks',)}


@dataclass(frozen=True)
class Step:
    """A stage of a run, and what is to be done for it.

    Attributes:
        stage: The stage.
        folder: Its folder.
        cfg: Its config, with references to other stages.
        split: The pictures it works on.
        settings: The config and all else that decides the result, as plain values without places.
        data: Digests of the data that go in.
        upstream: Stage -> id, of the stages whose outputs go in.
        state: ``'finished'``, ``'new'``, ``'resume'`` (interrupted), or ``'stale'`` (made from something else).
        reason: Why, in a sentence.
        deciding: Name of the test whose best threshold goes in; None where none does, or the pipeline's default.
    """

    stage: Stage
    folder: Path
    cfg: Config
    split: str
    settings: dict[str, Any]
    data: dict[str, str]
    upstream: dict[str, str]
    state: str
    reason: str
    deciding: str | None = None

    @property
    def id(self) -> str:
        """Digest of all that goes in."""
        return digest([self.settings, self.data, self.upstream])


def make_plan(
    pipeline: Pipeline,
    data: DataFiles,
    work_dir: Path,
    *,
    seed: int | None = None,
    iters: int | None = None,
) -> list[Step]:
    """Look at every stage; nothing is written.

    Stages that need truth or a split which the data do not have are left out.

    Args:
        pipeline: The stages.
        data: The data of this run.
        work_dir: Where the stages' folders are.
        seed: Of everything random; None for what the configs say.
        iters: Iterations of every training, to cut it short.

    Raises:
        ValueError: A manifest cannot be read, or a stage refers to one that is left out.
    """
    digests = _DataDigests(data)
    steps: list[Step] = []
    ids: dict[str, str] = {}
    states: dict[str, str] = {}
    for stage in pipeline.stages:
        split = split_of(stage, data)
        if not data.has(split) or (stage.needs_truth and data.masks is None):
            continue
        cfg = stage_config(stage, data, seed=seed, iters=iters)
        used = stage.references()
        deciding = _deciding(pipeline, steps, digests) if stage.takes_threshold() else None
        if deciding is not None:
            used += (deciding,)
        lost = [name for name in used if name not in ids]
        if lost:
            raise ValueError(
                f'{pipeline.path}: stages.{stage.name} takes what {", ".join(lost)} makes, which these data do not '
                f'allow: they have the splits {", ".join(data.lists)}{"" if data.masks else " and no masks"}'
            )
        places = _places(data, work_dir)
        tta = stage.tta and stage.do == 'test'
        relevant = relevant_settings(cfg.to_dict(), stage.do, tta=tta, true_masks=data.masks)
        settings = {
            'config': placeless(plain(relevant), places),
            'do': stage.do,
            'split': split,
            'tta': stage.tta,
            'predictions': stage.predictions,
            'seeds': stage.seeds,
            'threshold': stage.threshold,
            'threshold_default': pipeline.threshold_default if stage.takes_threshold() else None,
        }
        made_from = dict(
            settings=settings,
            data=digests.of(stage, split, cfg),
            upstream={name: ids[name] for name in dict.fromkeys(used)},
        )
        folder = work_dir / stage.name
        state, reason = _state(stage, folder, made_from, states)
        step = Step(
            stage, folder, cfg, split, **made_from, state=state, reason=reason, deciding=deciding
        )
        ids[stage.name] = step.id
        states[stage.name] = state
        steps.append(step)
    return steps


def _places(data: DataFiles, work_dir: Path) -> dict[Path, str]:
    """Files and folders that may move without anything changing, the inner ones first."""
    places = {path: f'list of {split}' for split, path in data.lists.items()}
    places |= {data.tags: 'tags', data.pictures: 'pictures'}
    for path, name in ((data.masks, 'masks'), (data.classes_file, 'classes')):
        if path is not None:
            places[path] = name
    return {**places, work_dir: 'work', data.root: 'data'}


def _deciding(pipeline: Pipeline, steps: list[Step], digests: _DataDigests) -> str | None:
    """The test of seeds that chooses the threshold: the first one whose pictures have truth."""
    for name in pipeline.threshold_stages:
        for step in steps:
            if step.stage.name == name and digests.has_truth(step.split):
                return name
    return None


class _DataDigests:
    """Digests of the data, each made when it is first asked for."""

    def __init__(self, data: DataFiles) -> None:
        self._data = data
        self._known: dict[Any, Any] = {}

    def of(self, stage: Stage, split: str, cfg: Config) -> dict[str, str]:
        """What goes into a stage: its list and pictures; what else it uses of classes, tags and the user's files."""
        data = self._data
        found = {
            f'list of {split}': self._file(data.lists[split]),
            f'pictures of {split}': self._sizes(data.pictures, PICTURE_SUFFIXES, split),
        }
        if data.classes_file is not None:
            found['classes'] = self._file(data.classes_file)
        if data.masks is not None and stage.do != 'train':
            found[f'masks of {split}'] = self._sizes(data.masks, ('.png',), split)
        name = 'train_dataloader' if stage.do == 'train' else 'test_dataloader'
        if cfg.get(name) is not None and cfg[name].dataset.get('tag_file'):
            found['tags'] = self._tags()
        saliency = cfg.get('saliency_dir')
        if saliency is not None and stage.do == 'train' and Path(saliency).is_dir():
            found['saliency maps'] = self._sizes(Path(saliency), ('.png',), split)
        for key in ('mask_dir', 'seed_dir') if stage.do == 'train' else ('seed_dir',):
            folder = cfg.get(
                key
            )  # of the user; that of another stage is a reference, and no folder
            if stage.do != 'masks' and isinstance(folder, str) and Path(folder).is_dir():
                found[f'files in {key}'] = self._once(
                    folder, lambda folder=folder: times_digest(Path(folder))
                )
        if stage.do == 'train':
            for path in initial_weights(cfg):
                found[f'initial weights ({path.name})'] = self._file(path)
        return found

    def has_truth(self, split: str) -> bool:
        """Whether any picture of a split has a true mask."""
        masks = self._data.masks
        return masks is not None and bool(self._members(masks, ('.png',), split))

    def _file(self, path: Path) -> str:
        return self._once(path, lambda: files_digest([('', path)]))

    def _tags(self) -> str:
        tags = self._data.tags
        if tags.is_file():
            return self._file(tags)
        names = [path for paths in list_files(tags, ('.xml',)).values() for path in paths]
        return self._once(tags, lambda: files_digest((name, tags / name) for name in names))

    def _sizes(self, folder: Path, suffixes: tuple[str, ...], split: str) -> str:
        return self._once(
            (folder, split), lambda: sizes_digest(folder, self._members(folder, suffixes, split))
        )

    def _members(self, folder: Path, suffixes: tuple[str, ...], split: str) -> list[str]:
        """Files of the pictures of a split, below a folder."""
        files = self._once((folder, suffixes), lambda: list_files(folder, suffixes))
        names = self._once(
            ('names', split),
            lambda: {sample_id(line) for line in read_lines(self._data.lists[split])},
        )
        return [path for key, paths in files.items() if sample_id(key) in names for path in paths]

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


def _state(
    stage: Stage, folder: Path, made_from: Mapping[str, Any], states: Mapping[str, str]
) -> tuple[str, str]:
    """State and reason of a stage."""
    former = read_manifest(folder)
    if former is None:
        return 'new', 'never started'
    now = plain(made_from)
    reasons = []
    changed = changes(former['settings'], now['settings'])
    if changed:
        reasons.append(f'settings changed: {summary(changed)}')
    for key in sorted({*former['data'], *now['data']}):
        what, _, split = key.partition(' of ')
        listed = f'list of {split}'
        if split and what != 'list' and former['data'].get(listed) != now['data'].get(listed):
            continue  # another list has other pictures and masks
        if former['data'].get(key) != now['data'].get(key):
            reasons.append(f'the {key} changed')
    for name in sorted({*former['upstream'], *now['upstream']}):
        if former['upstream'].get(name) != now['upstream'].get(name):
            reasons.append(f'{name} is another')
    if reasons:
        return 'stale', '; '.join(reasons)
    if former['state'] != 'finished':
        return 'resume', f'interrupted after {former.get("attempts", 1)} start(s)'
    again = [name for name in now['upstream'] if states[name] != 'finished']
    counts = former.get('files') or {}
    there = count_files(folder, former.get('outputs') or {})
    lost = [
        f'{name} ({there.get(name, 0)} of {number})'
        for name, number in counts.items()
        if there.get(name, 0) < number
    ]
    if lost:
        return 'resume', f'what it made is not all there any more: {", ".join(lost)}'
    if again:
        return 'finished', f'done; {", ".join(again)} will be made again from the same'
    return 'finished', 'done'


def check_outputs(step: Step) -> dict[str, str]:
    """What a stage that ended well left, as paths relative to its folder.

    Raises:
        FileNotFoundError: Something it should have made is missing.
    """
    outputs = stage_outputs(step.folder)
    needed = [*_NEEDED[step.stage.do], *(['predictions'] if step.stage.predictions else [])]
    lost = [name for name in needed if name not in outputs]
    if lost:
        raise FileNotFoundError(
            f'{step.stage.name}: the command ended well and left no {", ".join(lost)} in {step.folder}'
        )
    return outputs


@dataclass(frozen=True)
class Threshold:
    """A background threshold, and where it came from.

    Attributes:
        value: In [0, 1).
        source: For people.
        report: The ``seed_metric_<split>.json`` it was taken from, or None.
    """

    value: float
    source: str
    report: Path | None = None


def choose_threshold(pipeline: Pipeline, steps: list[Step], step: Step) -> Threshold:
    """The threshold that goes into a stage: the best of the test that decides it; without one the default.

    Args:
        pipeline: Says the default.
        steps: The stages of this run.
        step: Takes the threshold.

    Raises:
        FileNotFoundError: The test has left no report.
        ValueError: Its report names no best threshold.
    """
    if step.deciding is None:
        return Threshold(
            pipeline.threshold_default, 'default of the pipeline: no truth to choose by'
        )
    test = next(one for one in steps if one.stage.name == step.deciding)
    path = test.folder / f'seed_metric_{test.split}.json'
    again = f'delete {test.folder} to run {test.stage.name} again'
    if not path.is_file():
        raise FileNotFoundError(
            f'{step.stage.name} takes the threshold that was best in {test.stage.name}, and {path} is not there; '
            f'{again}'
        )
    found = json.loads(path.read_text(encoding='utf-8')).get('best_threshold')
    if found is None:
        raise ValueError(
            f'{path}: best_threshold is missing, expected a number: {test.split} has masks; {again}'
        )
    return Threshold(float(found), f'best of {test.stage.name} on {test.split}', path)
