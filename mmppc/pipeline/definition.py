"""A pipeline: stages in order, each one command on one config, and what they take of each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

KINDS = ('train', 'test', 'masks')
THRESHOLD = '{threshold}'
OUTPUTS = ('folder', 'checkpoint', 'seeds', 'masks', 'predictions')
"""What an earlier stage can be asked for, as in ``'{cam.checkpoint}'``."""

_REFERENCE = re.compile(r'\{(\w+)\.(\w+)\}')
_THRESHOLD = re.compile(r'\{threshold(?:([+-])(\d*\.?\d+))?\}')
_STAGE_KEYS = {
    'do', 'title', 'config', 'of', 'split', 'options', 'seeds', 'threshold', 'tta', 'predictions', 'epochs',
    'min_iters', 'needs_truth',
}  # fmt: skip
_DATA_KEYS = {'root', 'pictures', 'masks', 'tags', 'classes', 'lists', 'toy', 'make_missing'}


@dataclass(frozen=True)
class Stage:
    """One command on one config.

    Attributes:
        name: Names its folder, and it in references.
        do: ``'train'``, ``'test'`` or ``'masks'``: which of the tools runs.
        title: For people.
        config: Config file; of the training that ``of`` names, if there is one.
        of: Name of the training whose config and checkpoint a test takes, or whose config masks are made with.
        split: ``'train'`` or ``'val'``: which pictures; several are alternatives, the first that exists counts.
        options: Settings of the config to override, ``'a.b': value``; values may hold references, or be
            ``'{threshold}'``, ``'{threshold+0.1}'`` or ``'{threshold-0.1}'``.
        seeds: Folder of the seeds to make masks of, usually a reference.
        threshold: Background threshold of masks, usually ``'{threshold}'``.
        tta: Whether a test uses the config's test-time augmentation.
        predictions: Whether a test also writes its masks, to ``predictions/``.
        epochs: Rounds of a training over its pictures, in place of the config's iterations; None for those.
        min_iters: Iterations of a training with ``epochs`` on few pictures.
        needs_truth: Left out where no picture of its split can have a true mask.
    """

    name: str
    do: str
    title: str
    config: Path
    of: str | None = None
    split: tuple[str, ...] = ('train',)
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: str | None = None
    threshold: str | float | None = None
    tta: bool = True
    predictions: bool = False
    epochs: int | None = None
    min_iters: int = 0
    needs_truth: bool = False

    def references(self) -> tuple[str, ...]:
        """Names of the stages whose outputs this one takes, in order, each once."""
        texts = [*_texts(dict(self.options)), self.seeds or '']
        found = [match[1] for text in texts for match in _REFERENCE.finditer(text)]
        if self.of is not None:
            found.insert(0, self.of)
        return tuple(dict.fromkeys(found))

    def takes_threshold(self) -> bool:
        """Whether the threshold that earlier stages chose goes into this one."""
        return any(map(_THRESHOLD.fullmatch, (*_texts(dict(self.options)), str(self.threshold))))


@dataclass(frozen=True)
class Pipeline:
    """What a file of ``configs/pipelines`` says.

    Attributes:
        name: The file's name without its suffix.
        path: The file.
        data: ``root``, and below it ``pictures``, ``masks``, ``tags``, ``classes``, ``lists``; ``toy``: what to draw
            there; ``make_missing``: see :func:`~mmppc.pipeline.own_data.find_data`.
        threshold_stages: Seeds' tests whose best threshold counts, the first one with truth.
        threshold_default: The threshold where there is no truth.
        stages: In order.
    """

    name: str
    path: Path
    data: Mapping[str, Any]
    threshold_stages: tuple[str, ...]
    threshold_default: float
    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage:
        """The stage of a name; ValueError if there is none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        known = ', '.join(stage.name for stage in self.stages)
        raise ValueError(f'{self.path}: no stage {name!r}, the stages are {known}')


def read_pipeline(path: Path, options: Mapping[str, Any] | None = None) -> Pipeline:
    """Read a pipeline's config.

    Args:
        path: The file.
        options: Settings to override. ``<stage>.<setting>`` goes to the config of that stage; ``data...``,
            ``threshold...`` and ``stages...`` to the pipeline itself.

    Raises:
        FileNotFoundError: The file, or a config it names, is not there.
        ValueError: A stage or a setting is not as described in :class:`Stage`.
    """
    if not path.is_file():
        raise FileNotFoundError(f'pipeline not found: {path}')
    try:
        cfg = Config.fromfile(str(path))
    except (SyntaxError, KeyError, TypeError) as error:
        raise ValueError(f'{path}: not a config: {error}') from None
    if not cfg.get('stages'):
        raise ValueError(f'{path}: no stages, expected a pipeline as in configs/pipelines')
    names = list(cfg.stages)
    of_stage: dict[str, dict[str, Any]] = {name: {} for name in names}
    own = {}
    for key, value in (options or {}).items():
        first, _, rest = key.partition('.')
        if first in of_stage and rest:
            of_stage[first][rest] = value
        elif first in ('data', 'threshold', 'stages'):
            own[key] = value
        else:
            raise ValueError(
                f'option {key}: found {first!r}, expected a stage ({", ".join(names)}), data, threshold or stages'
            )
    cfg.merge_from_dict(own)
    content = cfg.to_dict()
    stages: list[Stage] = []
    for name in _in_order(path, content['stages'], of_stage):
        stages.append(_stage(path, name, content['stages'][name], of_stage[name], stages))
    threshold = _threshold(path, content.get('threshold') or {})
    unknown = sorted(set(content.get('data') or {}) - _DATA_KEYS)
    if unknown:
        raise ValueError(f'{path}: data: unknown {unknown}, expected some of {sorted(_DATA_KEYS)}')
    pipeline = Pipeline(
        name=path.stem,
        path=path,
        data=content.get('data') or {},
        threshold_stages=threshold[0],
        threshold_default=threshold[1],
        stages=tuple(stages),
    )
    for name in pipeline.threshold_stages:
        pipeline.stage(name)
    return pipeline


def _in_order(
    path: Path, stages: Mapping[str, Any], options: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Names of the stages as they stand in the file, but each after those that it takes something from.

    A file can so give a stage of its base another one to start from.
    """
    needs = {}
    for name, settings in stages.items():
        texts = [*_texts(settings), *_texts(dict(options[name]))]
        found = {match[1] for text in texts for match in _REFERENCE.finditer(text)}
        if isinstance(settings, Mapping):
            found.add(settings.get('of'))
        needs[name] = found & set(stages)
    order: list[str] = []
    while len(order) < len(needs):
        free = next((n for n in needs if n not in order and needs[n] <= set(order)), None)
        if free is None:
            rest = ', '.join(name for name in needs if name not in order)
            raise ValueError(f'{path}: stages {rest}: each waits for another one of them')
        order.append(free)
    return order


def _threshold(path: Path, settings: Any) -> tuple[tuple[str, ...], float]:
    """Stages and default of the pipeline's threshold, checked."""
    stages = settings.get('stages', ()) if isinstance(settings, Mapping) else None
    if not isinstance(stages, (list, tuple)):
        raise ValueError(
            f'{path}: threshold: found {settings!r}, expected dict(stages=(NAME, ...), default=NUMBER)'
        )
    default = settings.get('default', 0.26)
    # Of the thresholds that SeedMetric sweeps: it scores val at this one.
    on_grid = _is_number(default) and 0 <= default < 0.595 and abs(default * 100 % 1 - 0.5) > 0.499
    if not on_grid:
        raise ValueError(
            f'{path}: threshold.default: found {default!r}, expected one of 0.00, 0.01, ..., 0.59'
        )
    return tuple(stages), float(default)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    'title': (lambda value: isinstance(value, str), 'a text'),
    'options': (lambda value: isinstance(value, Mapping), "a dict {'a.b': value}"),
    'seeds': (lambda value: value is None or isinstance(value, str), 'a folder'),
    'threshold': (
        lambda value: value in (None, THRESHOLD) or (_is_number(value) and 0 <= value < 1),
        f'a number in [0, 1) or {THRESHOLD!r}',
    ),
    'epochs': (
        lambda value: value is None or (type(value) is int and value > 0),
        'a number from 1',
    ),
    'min_iters': (lambda value: type(value) is int and value >= 0, 'a number from 0'),
    'tta': (lambda value: isinstance(value, bool), 'True or False'),
    'predictions': (lambda value: isinstance(value, bool), 'True or False'),
    'needs_truth': (lambda value: isinstance(value, bool), 'True or False'),
}


def _stage(
    path: Path,
    name: str,
    settings: Mapping[str, Any],
    options: Mapping[str, Any],
    earlier: list[Stage],
) -> Stage:
    """One stage of the config, checked."""
    where = f'{path}: stages.{name}'
    if not re.fullmatch(r'[a-z]\w*', name) or name in ('data', 'replaced', 'threshold', 'stages'):
        raise ValueError(f'{where}: this name cannot be used, expected small letters, digits and _')
    if not isinstance(settings, Mapping):
        raise ValueError(f'{where}: found {settings!r}, expected a dict')
    unknown = sorted(set(settings) - _STAGE_KEYS)
    if unknown:
        raise ValueError(f'{where}: unknown {unknown}, expected some of {sorted(_STAGE_KEYS)}')
    if settings.get('do') not in KINDS:
        raise ValueError(f'{where}.do: found {settings.get("do")!r}, expected one of {KINDS}')
    for key, (fits, expected) in _TYPES.items():
        if key in settings and not fits(settings[key]):
            raise ValueError(f'{where}.{key}: found {settings[key]!r}, expected {expected}')
    known = {stage.name: stage for stage in earlier}
    of = settings.get('of')
    if of is not None and (of not in known or known[of].do != 'train'):
        trainings = [stage.name for stage in earlier if stage.do == 'train']
        raise ValueError(f'{where}.of: found {of!r}, expected an earlier training: {trainings}')
    if of is None and settings['do'] != 'train':
        raise ValueError(f'{where}.of is missing: which training does this {settings["do"]} take?')
    if (of is None) == ('config' not in settings):
        raise ValueError(f'{where}: expected either config (a training) or of (all others)')
    config = known[of].config if of else (path.parent / settings['config']).resolve()
    if not config.is_file():
        raise FileNotFoundError(f'{where}.config: no such file: {config}')
    split = settings.get('split', 'train')
    stage = Stage(
        name=name,
        **{
            **settings,
            'title': settings.get('title', name),
            'split': (split,) if isinstance(split, str) else tuple(split),
            'options': {
                **(known[of].options if of else {}),
                **(settings.get('options') or {}),
                **options,
            },
        }
        | {'config': config},
    )
    wrong = sorted(set(stage.split) - {'train', 'val'})
    if wrong or not stage.split:
        raise ValueError(f'{where}.split: found {wrong}, expected train or val')
    for text in (*_texts(dict(stage.options)), stage.seeds or ''):
        if '{threshold' in text and not _THRESHOLD.fullmatch(text):
            raise ValueError(
                f"{where}: found {text!r}, expected '{{threshold}}' alone, or with a number: '{{threshold-0.1}}'"
            )
        for match in _REFERENCE.finditer(text):
            if match[1] not in known or match[2] not in OUTPUTS:
                raise ValueError(
                    f'{where}: reference {match[0]}: expected an earlier stage ({", ".join(known)}) and one of '
                    f'{", ".join(OUTPUTS)}'
                )
    return stage


def _texts(node: Any) -> Iterator[str]:
    """All texts inside of nested settings."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _texts(value)


def fill(node: Any, outputs: Mapping[str, Mapping[str, str]], threshold: float | None) -> Any:
    """Nested settings with every reference replaced.

    Args:
        node: The settings.
        outputs: Stage -> output -> path.
        threshold: What ``'{threshold}'`` stands for; with an offset it stays within [0, 1].

    Raises:
        ValueError: An output is not there, or there is no threshold.
    """
    if isinstance(node, Mapping):
        return {key: fill(value, outputs, threshold) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(fill(value, outputs, threshold) for value in node)
    if not isinstance(node, str):
        return node
    asked = _THRESHOLD.fullmatch(node)
    if asked:
        if threshold is None:
            raise ValueError(f'{node}: no threshold was chosen yet')
        if asked[1] is None:
            return threshold
        return round(min(max(threshold + float(asked[1] + asked[2]), 0.0), 1.0), 6)

    def output(match: re.Match) -> str:
        if match[1] not in outputs:  # no reference: part of a path
            return match[0]
        found = outputs[match[1]].get(match[2])
        if found is None:
            raise ValueError(f'{match[0]}: the stage {match[1]} has no {match[2]}')
        return found

    return _REFERENCE.sub(output, node)
