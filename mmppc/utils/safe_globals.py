"""What a checkpoint written by MMEngine may refer to, besides tensors."""

import collections
import importlib
import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

_STATISTICS = ('min', 'max', 'current', 'mean')
_DTYPES = '?bhilqBHILQefd'  # booleans, integers and floats


def _statistic(owner: Any, name: str) -> Callable:
    """Stands in for ``getattr``, which a pickled HistoryBuffer uses to name its own statistics."""
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL {owner}.{name}')
    return getattr(owner, name)


def _alias(function: Callable, module: str, name: str) -> Callable:
    """``function`` under the name by which a pickle asks for it."""

    def called(*args: Any) -> Any:
        return function(*args)

    called.__module__, called.__name__, called.__qualname__ = module, name, name
    return called


def mmengine_globals() -> list[Any]:
    """Safe globals for PyTorch's weights-only unpickler: message hub, optimizer state and metainfo.

    NumPy's are there under the names of NumPy 1 and 2, so that a checkpoint moves between them.
    """
    # NumPy 1.26 has a package `_core` too, which is nearly empty.
    first = 'numpy.core' if np.__version__.startswith('1.') else 'numpy._core'
    multiarray = importlib.import_module(f'{first}.multiarray')
    allowed: list[Any] = [HistoryBuffer, np.ndarray, np.dtype, slice]
    allowed += sorted({type(np.dtype(code)) for code in _DTYPES}, key=lambda kind: kind.__name__)
    allowed.append(_alias(_statistic, 'builtins', 'getattr'))
    for package in ('numpy.core', 'numpy._core'):
        for name in ('_reconstruct', 'scalar'):
            allowed.append(_alias(getattr(multiarray, name), f'{package}.multiarray', name))
    return allowed


def _table() -> dict[str, Any]:
    rebuild = ('_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_parameter', '_rebuild_qtensor')
    table = {f'torch._utils.{name}': getattr(torch._utils, name) for name in rebuild}
    table.update({f'{item.__module__}.{item.__qualname__}': item for item in mmengine_globals()})
    table['collections.OrderedDict'] = collections.OrderedDict
    table['torch.Size'] = torch.Size
    table['torch.device'] = torch.device
    table['builtins.set'] = set
    table['_codecs.encode'] = _alias(lambda text, coding: text.encode(coding), '_codecs', 'encode')
    return table


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = 'builtins' if module == '__builtin__' else module  # as pickles of PyTorch call it
        if module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if module in ('torch', 'torch.storage') and name.endswith('Storage'):
            return super().find_class(module, name)
        try:
            return _table()[f'{module}.{name}']
        except KeyError:
            raise pickle.UnpicklingError(f'Unsupported global: GLOBAL {module}.{name}') from None


class RestrictedPickle:
    """A ``pickle_module`` for releases of PyTorch whose weights-only unpickler cannot be extended."""

    Unpickler = _Unpickler
    UnpicklingError = pickle.UnpicklingError
    __name__ = 'RestrictedPickle'

    @staticmethod
    def load(file: io.IOBase, **options: Any) -> Any:
        return _Unpickler(file, **options).load()  # type: ignore[arg-type]
