"""Config and device of an inferencer, as they may be given."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config


def as_config(model: Any) -> Config:
    """A config in the form that MMEngine takes, from a file, a mapping or a ``Config``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a folder or something else.
    """
    if isinstance(model, (str, os.PathLike)):
        path = Path(model).expanduser()
        if path.is_dir():
            raise ValueError(
                f'{path}: a folder, expected a config file; mmppc.apis.open_network takes work folders'
            )
        if not path.is_file():
            raise FileNotFoundError(f'config not found: {path}')
        return Config.fromfile(str(path))
    if isinstance(model, Mapping):
        return Config(dict(model))
    if not isinstance(model, Config):
        # MMEngine would take the config that a checkpoint stores as text, and execute that.
        raise ValueError(
            f'model: found {type(model).__name__}, expected a config file, a Config or a dict'
        )
    return model


def as_device(device: str | torch.device | None) -> torch.device:
    """The device that is named; None takes a GPU where there is one.

    Raises:
        ValueError: There is no such device.
    """
    if device is None:
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f'device={device!r}: {error}') from error
    if found.type == 'cuda' and (found.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f'device={str(found)!r}: this PyTorch sees {torch.cuda.device_count()} GPUs; expected one of them, or cpu'
        )
    return found
