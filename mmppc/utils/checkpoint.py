"""Checkpoints: loading without executing what a file contains, and refusing one that does not fit the model."""

import os
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier
from mmengine.fileio import LocalBackend, register_backend
from mmengine.model import BaseModule, BaseTTAModel, PretrainedInit, is_model_wrapper
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmppc.storage.atomic import atomic_write
from mmppc.utils.safe_globals import RestrictedPickle, mmengine_globals


class CheckpointError(ValueError):
    """A checkpoint that cannot be read safely, or that belongs to another model."""


def load_checkpoint(path: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
    """Load a local checkpoint with ``weights_only=True``, allowing only what MMEngine itself stores."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint not found: {path}')
    try:
        checkpoint = _load_safely(path, map_location)
    except UnpicklingError as error:
        found = re.search(r'(?:GLOBAL|global|class|function):? [\'"`]?([\w.]+\.\w+)', str(error))
        reason = f'it refers to {found.group(1)}' if found else str(error).split('\n')[0]
        raise CheckpointError(
            f'{path} holds more than weights: {reason}, and loading that could run code of its '
            'author. Save the weights alone, as a dict of tensors, and load those.'
        ) from error
    except (RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError) as error:
        reason = f'{type(error).__name__}: {error}'  # of a KeyError the text alone says nothing
        raise CheckpointError(f'{path} is not a whole PyTorch checkpoint ({reason})') from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{path} holds a {type(checkpoint).__name__}, expected a dict')
    return checkpoint


def _load_safely(path: Path, map_location: Any) -> Any:
    if hasattr(torch.serialization, 'safe_globals'):  # PyTorch >= 2.5
        with torch.serialization.safe_globals(mmengine_globals()):
            return torch.load(path, map_location=map_location, weights_only=True)
    return torch.load(
        path, map_location=map_location, pickle_module=RestrictedPickle, weights_only=False
    )


def load_from_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """The loader of local paths, as ``CheckpointLoader`` calls it."""
    return load_checkpoint(filename, map_location)


def load_from_http(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Download to PyTorch's cache, once for all processes of a machine, and load from there.

    The first process of every machine looks: machines may share the cache or not. The file appears whole.
    """
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    path = folder / Path(urlparse(filename).path).name
    if int(os.environ.get('LOCAL_RANK', 0)) == 0 and not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(filename, str(path))
    barrier()
    return load_checkpoint(path, map_location)


def load_from_torchvision(filename: str, map_location: Any = None) -> dict[str, Any]:
    """``torchvision://NAME``."""
    urls = mmengine_checkpoint.get_torchvision_models()
    return load_from_http(urls[filename.split('://', 1)[1]], map_location)


def load_from_openmmlab(filename: str, map_location: Any = None) -> dict[str, Any]:
    """``open-mmlab://NAME``."""
    urls = mmengine_checkpoint.get_external_models()
    return CheckpointLoader.load_checkpoint(
        urls[filename.split('://', 1)[1]], map_location, logger='silent'
    )


def register_safe_loaders() -> None:
    """Make MMEngine load local files and downloads through :func:`load_checkpoint`.

    Its own loader falls back to executing a file's pickle when the safe way fails.
    """
    loaders: dict[str, Callable] = {
        '': load_from_local,
        'http://': load_from_http,
        'https://': load_from_http,
        'torchvision://': load_from_torchvision,
        'modelzoo://': load_from_torchvision,
        'open-mmlab://': load_from_openmmlab,
        'openmmlab://': load_from_openmmlab,
    }
    for prefix, loader in loaders.items():
        CheckpointLoader.register_scheme(prefix, loader, force=True)


@register_backend('atomic', force=True)
class AtomicBackend(LocalBackend):
    """Local files that appear whole; for ``CheckpointHook(backend_args=dict(backend='atomic'))``."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` to ``filepath``."""
        with atomic_write(filepath) as file:
            file.write(obj)


def find_latest_checkpoint(work_dir: str | Path) -> Path | None:
    """The whole ``iter_N.pth`` or ``epoch_N.pth`` of ``work_dir`` that was written last, if there is one.

    Looks at the files themselves, so that it survives a moved folder and a kill while saving. Not at N: an earlier
    training in this folder may have come further than the one that was interrupted.
    """
    found = []
    for path in Path(work_dir).glob('*.pth'):
        match = re.fullmatch(r'(?:iter|epoch)_(\d+)', path.stem)
        if match and zipfile.is_zipfile(path):
            found.append((path.stat().st_mtime_ns, int(match.group(1)), path))
    return max(found)[2] if found else None


def unwrap_model(model: nn.Module) -> nn.Module:
    """The network itself, without wrappers for several processes or test-time augmentation."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module  # type: ignore[assignment]
    return model


def check_checkpoint_fits(
    model: nn.Module,
    checkpoint: Mapping[str, Any],
    source: str = 'checkpoint',
    *,
    strict: bool = True,
) -> None:
    """Refuse weights that MMEngine would skip with no more than a warning.

    Args:
        model: The model to load into; wrappers and test-time augmentation are looked through.
        checkpoint: State dict, or a checkpoint with one under ``state_dict``.
        source: Its name in messages.
        strict: Refuse also when a parameter is missing or has another shape. Otherwise, as for fine-tuning, only
            when no parameter fits.
    """
    model = unwrap_model(model)
    state = checkpoint.get('state_dict', checkpoint)
    found = {re.sub(r'^module\.', '', name): value for name, value in state.items()}
    expected = {
        name: value
        for name, value in model.state_dict().items()
        if not name.endswith('num_batches_tracked')
    }
    missing = [name for name in expected if name not in found]
    misshapen = [
        name
        for name, value in expected.items()
        if isinstance(found.get(name), Tensor) and found[name].shape != value.shape
    ]
    if len(missing) + len(misshapen) == len(expected) and expected:
        raise CheckpointError(
            f'{source} is of another architecture: none of the {len(expected)} parameters of '
            f'{type(model).__name__} is in it. Found {_some(list(found))}; expected '
            f'{_some(list(expected))}'
        )
    if strict and (missing or misshapen):
        _refuse_misfit(source, missing, misshapen, found, expected, checkpoint)


def check_pretrained(module: BaseModule, advice: str = '') -> None:
    """Refuse the checkpoint of a ``Pretrained`` ``init_cfg`` that MMEngine would load in part, with warnings only.

    Args:
        module: Before ``init_weights``; its ``init_cfg`` is read.
        advice: Ends every message, such as where to get the right file.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: A parameter is missing or has another shape.
    """
    configs = module.init_cfg if isinstance(module.init_cfg, list) else [module.init_cfg]
    for cfg in configs:
        if not cfg or cfg['type'] not in ('Pretrained', PretrainedInit):
            continue
        source = str(cfg['checkpoint'])
        try:
            checkpoint = CheckpointLoader.load_checkpoint(source, 'cpu', logger='silent')
            state = checkpoint.get('state_dict', checkpoint)
            if cfg.get('prefix'):
                state = _below(cfg['prefix'].rstrip('.') + '.', state, source)
            check_checkpoint_fits(module, state, source)
        except (FileNotFoundError, CheckpointError) as error:
            raise type(error)(f'{error}. {advice}' if advice else str(error)) from error


def _below(prefix: str, state: Mapping[str, Any], source: str) -> dict[str, Any]:
    """What ``state`` holds under names with ``prefix``, without it."""
    found = {name[len(prefix) :]: v for name, v in state.items() if name.startswith(prefix)}
    if not found:
        raise CheckpointError(
            f'{source} has no parameter under {prefix!r}; found {_some(list(state))}'
        )
    return found


def _refuse_misfit(
    source: str,
    missing: list[str],
    misshapen: list[str],
    found: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    checkpoint: Mapping[str, Any],
) -> None:
    def is_output(name: str) -> bool:
        """Differs in the number of outputs only."""
        ours, theirs = expected[name].shape, found[name].shape
        return len(ours) == len(theirs) and ours[1:] == theirs[1:]

    if misshapen and not missing and all(is_output(name) for name in misshapen):
        name = misshapen[0]
        classes = checkpoint.get('meta', {}).get('dataset_meta', {}).get('classes')
        names = f', trained for {len(classes)} classes: {_some(list(classes))}' if classes else ''
        raise CheckpointError(
            f'{source} has another number of classes: {name} has {found[name].shape[0]} outputs'
            f'{names}; the config asks for {expected[name].shape[0]} outputs'
        )
    shapes = [f'{n} {tuple(found[n].shape)} != {tuple(expected[n].shape)}' for n in misshapen]
    unexpected = [name for name in found if name not in expected]
    raise CheckpointError(
        f'{source} is of another architecture: {len(missing)} of {len(expected)} parameters are '
        f'missing ({_some(missing)}), {len(misshapen)} have another shape ({_some(shapes)}), '
        f'{len(unexpected)} are not in the model ({_some(unexpected)})'
    )


def _some(names: list[str], limit: int = 3) -> str:
    """The first few names, and how many there are."""
    if not names:
        return 'none'
    more = f', ... {len(names)} in all' if len(names) > limit else ''
    return ', '.join(map(str, names[:limit])) + more
