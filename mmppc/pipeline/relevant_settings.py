"""The part of a config that the result of a training, a test or a set of masks depends on."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MATTERS = {
    'train': (
        'model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'randomness', 'auto_scale_lr',
    ),
    'test': ('model', 'test_dataloader', 'test_evaluator', 'test_cfg'),
    'masks': ('test_dataloader', 'mask_stage'),
}  # fmt: skip
_COMMON = ('default_hooks', 'custom_hooks', 'load_from', 'runner_type', 'find_unused_parameters')
_HOOKS_ASIDE = ('timer', 'logger', 'checkpoint', 'visualization')
"""Hooks which change nothing of the result."""
_LOADING = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor')
_CACHES = {'backbone': 'frozen_cache', 'sampler': 'cache'}
"""Parts and the setting of each that names a folder of what would be computed anew otherwise."""


def relevant_settings(
    content: Mapping[str, Any], do: str, *, tta: bool = False, true_masks: Path | None = None
) -> dict[str, Any]:
    """What a stage's result depends on.

    A training does not depend on how its network is tested, nor a test on how it was trained (that goes by the
    training's own id), and neither on logging, checkpoints, caches or loading processes.

    Args:
        content: A config as plain values; left as it is.
        do: ``'train'``, ``'test'`` or ``'masks'``.
        tta: The test is with augmentation.
        true_masks: Folder of true masks, with which a training measures only.
    """
    keys = list(_MATTERS[do])
    if do != 'masks':
        keys += _COMMON
    if tta:
        keys += ('tta_model', 'tta_pipeline')
    kept = {key: copy.deepcopy(content[key]) for key in keys if content.get(key) is not None}
    for name in ('train_dataloader', 'test_dataloader'):
        if name in kept:
            kept[name] = _without(kept[name], *_LOADING)
    if 'default_hooks' in kept:
        kept['default_hooks'] = _without(kept['default_hooks'], *_HOOKS_ASIDE)
    if 'mask_stage' in kept:
        kept['mask_stage'] = _without(kept['mask_stage'], 'workers', 'device')
    if do == 'train':
        prefix = kept['train_dataloader'].get('dataset', {}).get('data_prefix', {})
        if true_masks is not None and prefix.get('seg_map_path') == str(true_masks):
            del prefix['seg_map_path']  # to measure with; nothing is trained on it
    if 'train_cfg' in kept:
        kept['train_cfg'].pop('val_interval', None)
    for part, cache in _CACHES.items():
        for owner in ('model', 'train_dataloader'):
            if isinstance(kept.get(owner, {}).get(part), dict):
                kept[owner][part].pop(cache, None)
    return kept


def _without(settings: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in names}
