"""Files of mmppc that need nothing but the standard library, without importing the package around them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).resolve().parents[1] / 'mmppc'


def load_alone(path: str) -> ModuleType:
    """The module at ``path`` below the package mmppc, loaded once, by itself.

    Importing ``mmppc`` imports the OpenMMLab stack; this works where that fails.
    """
    name = f'_mmppc_alone_{path[:-3].replace("/", "_")}'
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, PACKAGE / path)
        if spec is None or spec.loader is None:
            raise ImportError(f'{PACKAGE / path}: cannot be loaded')
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
    return sys.modules[name]
