"""The config that a stage runs: the one it names, on the data of this run."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmppc.datasets.names import read_lines
from mmppc.pipeline.definition import Stage
from mmppc.pipeline.own_data import DataFiles
from mmppc.utils.config_file import read_config
from mmppc.utils.evaluators import metric_takes

_LOADERS = {'train_dataloader': 'train', 'val_dataloader': 'val', 'test_dataloader': None}


def stage_config(
    stage: Stage, data: DataFiles, *, seed: int | None = None, iters: int | None = None
) -> Config:
    """The config of a stage, placed on the data of this run; references to other stages stay as they are.

    Args:
        stage: Which config, and what to override.
        data: Where pictures, masks, tags, lists and classes are. Number and names of the classes follow.
        seed: Of everything random; None for the config's.
        iters: Iterations of a training, in place of the config's; its schedule shrinks or grows with them.

    Raises:
        FileNotFoundError: The config is not there.
        ValueError: A loss has weights for another number of classes.
    """
    options = copy.deepcopy(dict(stage.options))  # merging takes `_delete_` out of them
    options.setdefault('data_root', str(data.root))
    cfg = read_config(str(stage.config), options, work_dir='')
    classes = data.classes()
    split = split_of(stage, data)
    for name, its_split in _LOADERS.items():
        if cfg.get(name) is not None:
            _place(cfg, cfg[name].dataset, data, its_split or split)
    if not data.has('val'):
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if classes is not None and cfg.get('model') is not None:
        _use_classes(cfg.model, len(classes), str(stage.config))
    evaluators = cfg.get('test_evaluator') or []
    for item in evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]:
        if metric_takes(item, 'split'):
            item['split'] = split
    if seed is not None:
        cfg.randomness = {**(cfg.get('randomness') or {}), 'seed': seed}
    if stage.do == 'train' and (iters is not None or stage.epochs is not None):
        if iters is None:
            steps = math.ceil(
                len(read_lines(data.lists['train'])) / cfg.train_dataloader.batch_size
            )
            iters = max(stage.min_iters, steps * (stage.epochs or 1))
        _use_iterations(cfg, iters)
    cfg.pop('work_dir', None)
    return cfg


def split_of(stage: Stage, data: DataFiles) -> str:
    """The first of the stage's splits that the data have; the last one if there is none."""
    return next((split for split in stage.split if data.has(split)), stage.split[-1])


def _place(cfg: Config, dataset: Any, data: DataFiles, split: str) -> None:
    """Point a data set to the files of this run; pseudo masks stay where the config has them."""
    if dataset.get('type') != 'TaggedImageDataset' or not data.has(split):
        return
    prefix = dict(dataset.get('data_prefix') or {})
    prefix['img_path'] = str(data.pictures)
    masks = prefix.get('seg_map_path')
    if masks is None or cfg.get('mask_dir') is None or masks != cfg.mask_dir:
        if data.masks is None:
            prefix.pop('seg_map_path', None)
            dataset.pop('require_masks', None)
        else:
            prefix['seg_map_path'] = str(data.masks)
            dataset.pop('require_masks', None)
    dataset['data_prefix'] = prefix
    dataset['ann_file'] = str(data.lists[split])
    dataset.pop('data_root', None)
    if dataset.get('tag_file') is not None:
        dataset['tag_file'] = str(data.tags)
    if data.classes_file is not None:
        dataset['classes_file'] = str(data.classes_file)
        (dataset.get('metainfo') or {}).pop('classes', None)
    elif dataset.get('classes_file') is not None:
        raise ValueError(
            f'{cfg.filename}: classes_file={dataset["classes_file"]!r}, but the data name no classes'
        )


def _use_classes(model: Any, number: int, where: str) -> None:
    """Give every head the number of classes, and its loss as many weights."""
    for head in _heads(model):
        if 'num_classes' not in head:
            continue
        head['num_classes'] = number
        losses = head.get('loss_decode') or []
        for loss in losses if isinstance(losses, (list, tuple)) else [losses]:
            weights = loss.get('class_weight')
            if weights is None or isinstance(weights, str) or len(weights) == number:
                continue
            if len(set(weights[1:])) > 1:
                raise ValueError(
                    f'{where}: class_weight has {len(weights)} different weights, expected {number}: one a class'
                )
            loss['class_weight'] = [weights[0]] + [weights[1]] * (number - 1)


def _heads(model: Any) -> Iterator[Any]:
    for name in ('decode_head', 'auxiliary_head'):
        found = model.get(name) or []
        yield from found if isinstance(found, (list, tuple)) else [found]


def _use_iterations(cfg: Config, iters: int) -> None:
    """Train for so many iterations, with a schedule that ends as far from the end as before."""
    former = cfg.train_cfg.max_iters
    for scheduler in cfg.get('param_scheduler') or []:
        end = scheduler.get('end')
        if end is not None:
            scheduler['end'] = end - former + iters if end >= former else min(end, iters)
        if scheduler.get('begin'):
            scheduler['begin'] = min(scheduler['begin'], iters)
    cfg.train_cfg.max_iters = iters
    if cfg.train_cfg.get('val_interval') is not None:
        cfg.train_cfg.val_interval = min(cfg.train_cfg.val_interval, iters)
    hooks = cfg.get('default_hooks') or {}
    for name in ('checkpoint', 'logger'):
        hook = hooks.get(name)
        if hook is not None and hook.get('interval') is not None:
            hook['interval'] = max(1, min(hook['interval'], iters))


def initial_weights(cfg: Config) -> list[Path]:
    """Files that a training starts from: ``init_cfg`` anywhere in the model, and ``load_from``."""
    names = [*_pretrained(cfg.get('model') or {}), cfg.get('load_from')]
    paths = {Path(name) for name in names if isinstance(name, str)}
    return sorted(path for path in paths if path.is_file())


def _pretrained(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        if node.get('type') == 'Pretrained':
            yield node.get('checkpoint')
        yield node.get('pretrained')
        for value in node.values():
            yield from _pretrained(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _pretrained(value)


def placeless(node: Any, places: dict[Path, str]) -> Any:
    """Nested settings whose paths below certain folders start with a name instead, so that the folders may move."""
    if isinstance(node, dict):
        return {key: placeless(value, places) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [placeless(value, places) for value in node]
    if isinstance(node, str):
        for folder, name in places.items():
            text = str(folder)
            if node == text or node.startswith(f'{text}/'):
                return f'<{name}>{node[len(text) :]}'
    return node


def batch_share(cfg: Config, processes: int, where: str) -> int:
    """Pictures of a training's batch that fall to each process, so that all together take the config's steps.

    Raises:
        ValueError: The batch cannot be divided.
    """
    whole = cfg.train_dataloader.batch_size
    if whole % processes:
        raise ValueError(
            f'{where}: a batch of {whole} cannot be divided among {processes} processes; choose another --gpus, or '
            f'another batch: --cfg-options {where}.train_dataloader.batch_size=N'
        )
    return whole // processes
