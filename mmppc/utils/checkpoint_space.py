"""Is there room for the checkpoints of a training? Asked before it starts, not after its first hours."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from torch import nn

from mmppc.utils.disk import nearest_folder, size_text


def checkpoint_bytes(model: nn.Module, optimizer: Mapping[str, Any]) -> int:
    """About the bytes of one checkpoint: weights, buffers, and what the optimizer remembers of each weight it trains.

    Args:
        model: The network.
        optimizer: Its config, ``type`` and settings.
    """
    kind = str(optimizer.get('type', ''))
    if 'Adam' in kind:
        copies = 2
    elif kind == 'SGD':
        copies = int(bool(optimizer.get('momentum')))
    else:
        copies = 1
    weights = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    trained = sum(
        weight.numel() * weight.element_size()
        for weight in model.parameters()
        if weight.requires_grad
    )
    return weights + copies * trained


def number_of_checkpoints(hook: CheckpointHook, length: int) -> int:
    """How many files lie in the work folder at the most.

    Args:
        hook: Says how often one is saved and how many are kept.
        length: Of the training, in the units of the hook's interval.
    """
    saved = max(1, math.ceil(length / hook.interval)) if hook.interval > 0 else 1
    kept = saved if hook.max_keep_ckpts < 1 else min(saved, hook.max_keep_ckpts)
    return kept + len(getattr(hook, 'key_indicators', None) or ())  # and the best by each


def check_checkpoint_space(runner: Runner) -> None:
    """Refuse a training whose checkpoints do not fit on the disk.

    Args:
        runner: Built and not started.

    Raises:
        OSError: There is too little room.
    """
    hook = next((one for one in runner.hooks if isinstance(one, CheckpointHook)), None)
    train = runner.cfg.get('train_cfg') or {}
    length = train.get('max_epochs' if hook is not None and hook.by_epoch else 'max_iters')
    if hook is None or length is None or not is_main_process():
        return
    optimizer = (runner.cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    size = checkpoint_bytes(runner.model, optimizer)
    number = number_of_checkpoints(hook, length)
    there = sum(1 for _ in Path(runner.work_dir).glob('*.pth'))  # they make room as new ones come
    more = max(1, number - there)
    free = shutil.disk_usage(nearest_folder(Path(runner.work_dir))).free
    if more * size > free:
        raise OSError(
            f'{runner.work_dir}: {size_text(free)} free, expected at least {size_text(more * size)} for {more} '
            f'checkpoint(s) of {size_text(size)}; make room, name a folder on another disk with --work-dir, or keep '
            'fewer with --cfg-options default_hooks.checkpoint.max_keep_ckpts=1'
        )
