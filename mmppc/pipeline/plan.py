"""Which stage of a run is finished, interrupted, stale or new, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmppc.pipeline.definition import Pipeline, Stage
from mmppc.pipeline.digests import changes, digest, files_digest, folder_digest, plain, summary
from mmppc.pipeline.manifest import read_manifest, stage_outputs
from mmppc.pipeline.own_data import DataFiles
from mmppc.pipeline.stage_config import placeless, split_of, stage_config, what_matters

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
        if stage.takes_threshold():
            used += tuple(name for name in pipeline.threshold_stages if name in ids)
        lost = [name for name in used if name not in ids]
        if lost:
            raise ValueError(
                f'{pipeline.path}: stages.{stage.name} takes what {", ".join(lost)} makes, which these data do not '
                f'allow: they have the splits {", ".join(data.lists)}{"" if data.masks else " and no masks"}'
            )
        places = {work_dir: 'work', data.root: 'data'}
        settings = {
            'config': placeless(plain(what_matters(stage, cfg)), places),
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
            data=digests.of(split, with_tags='tags' in _words(cfg)),
            upstream={name: ids[name] for name in dict.fromkeys(used)},
        )
        folder = work_dir / stage.name
        state, reason = _state(stage, folder, made_from, states)
        step = Step(stage, folder, cfg, split, **made_from, state=state, reason=reason)
        ids[stage.name] = step.id
        states[stage.name] = state
        steps.append(step)
    return steps


def _words(cfg: Config) -> set[str]:
    """Which kinds of data a config reads besides the pictures."""
    datasets = [
        cfg[name].dataset
        for name in ('train_dataloader', 'test_dataloader')
        if cfg.get(name) is not None
    ]
    return {'tags'} if any(item.get('tag_file') for item in datasets) else set()


class _DataDigests:
    """Digests of the data, each made when it is first asked for."""

    def __init__(self, data: DataFiles) -> None:
        self._data = data
        self._known: dict[str, str] = {}

    def of(self, split: str, *, with_tags: bool) -> dict[str, str]:
        """What goes into a stage: lists of its split and of training, classes, pictures, masks, tags."""
        data = self._data
        found = {f'list of {split}': self._file(data.lists[split])}
        found['pictures'] = self._folder(data.pictures)
        if data.classes_file is not None:
            found['classes'] = self._file(data.classes_file)
        if data.masks is not None:
            found['masks'] = self._folder(data.masks)
        if with_tags:
            found['tags'] = self._folder(data.tags) if data.tags.is_dir() else self._file(data.tags)
        return found

    def _file(self, path: Path) -> str:
        return self._once(path, lambda: files_digest([('', path)]))

    def _folder(self, path: Path) -> str:
        return self._once(path, lambda: folder_digest(path))

    def _once(self, path: Path, make: Any) -> str:
        if str(path) not in self._known:
            self._known[str(path)] = make()
        return self._known[str(path)]


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
    lost = [
        name
        for name in (former.get('outputs') or {})
        if not _exists(folder, former['outputs'][name])
    ]
    if lost:
        return 'resume', f'what it made is not there any more: {", ".join(lost)}'
    if again:
        return 'finished', f'done; {", ".join(again)} will be made again from the same'
    return 'finished', 'done'


def _exists(folder: Path, output: str) -> bool:
    path = folder / output
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


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


def choose_threshold(pipeline: Pipeline, steps: list[Step], before: Stage) -> Threshold:
    """The best threshold of the first of the pipeline's tests of seeds that knows truth; else the default.

    Args:
        pipeline: Says which tests count, and the default.
        steps: The stages of this run.
        before: Only stages before this one count.
    """
    names = [step.stage.name for step in steps]
    earlier = steps[: names.index(before.name)]
    for name in pipeline.threshold_stages:
        for step in earlier:
            path = step.folder / f'seed_metric_{step.split}.json'
            if step.stage.name == name and path.is_file():
                found = json.loads(path.read_text(encoding='utf-8')).get('best_threshold')
                if found is not None:
                    source = f'best of {name} on {step.split}'
                    return Threshold(float(found), source, path)
    return Threshold(pipeline.threshold_default, 'default of the pipeline: no truth to choose by')
