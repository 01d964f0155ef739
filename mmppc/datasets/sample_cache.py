"""Augmented samples, kept on disk."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmppc.storage.array_store import ArrayStore
from mmppc.utils.randomness import seeded
from mmppc.version import __version__

_META = '*meta'  # no entry of a sample is called so


class SampleCache:
    """What a pipeline makes of a sample before packing it, by sample and random numbers.

    A sample is what all transforms but the last one yield; the last one, which packs, runs every time. Kept is what
    they added to the sample or changed, without loss: floats that are whole numbers up to 255 take a byte each.

    An entry belongs to the transforms (their names and settings), to what the dataset tells of
    the sample, to size and time of the files it names (``*_path``), to the random numbers and to the package's version.
    Files that only a transform knows, such as labels in a folder of its own, are not looked at: when they change, the
    cache has to be deleted.

    Args:
        path: The file, see :class:`~mmppc.storage.array_store.ArrayStore`.
        max_gb: Size from which nothing more is stored, in 10^9 bytes.
    """

    def __init__(self, path: str | os.PathLike, max_gb: float = 20.0) -> None:
        self.store = ArrayStore(path, max_gb)

    def run(self, pipeline: Callable, results: dict, source: Sequence[int]) -> Any:
        """The packed sample, from the store or by ``pipeline`` on random numbers drawn from ``source``.

        Raises:
            ValueError: ``pipeline`` is no list of transforms with a packing one at its end, a transform does not print
                its settings, or it adds to the sample what cannot be stored.
        """
        transforms = _transforms(pipeline)
        key = _key(transforms[:-1], results, source)
        made = _decode(self.store.read([key])[0], results)
        if made is None:
            before = copy.deepcopy(results)
            with seeded(*source):
                made = results
                for transform in transforms[:-1]:
                    made = transform(made)
                    if made is None:
                        return None
            self._keep(key, _encode(made, before))
        return transforms[-1](made)

    def _keep(self, key: bytes, arrays: dict[str, np.ndarray]) -> None:
        if not self.store.full and not self.store.write({key: arrays}):
            print_log(
                f'{self.store.path}: the cache has reached max_gb={self.store.max_gb}; nothing more is stored',
                logger='current',
                level=logging.WARNING,
            )


def _transforms(pipeline: Callable) -> list[Callable]:
    transforms = list(getattr(pipeline, 'transforms', ()))
    if not transforms or not type(transforms[-1]).__name__.startswith('Pack'):
        raise ValueError(
            'the cache of a sampler needs a pipeline whose last transform packs the sample, such as PackTaggedInputs; '
            f'found {[type(item).__name__ for item in transforms]}'
        )
    return transforms


def _key(transforms: Sequence[Callable], results: dict, source: Sequence[int]) -> bytes:
    """Digest of all that a sample is made of."""
    digest = hashlib.blake2b(f'{__version__} {tuple(source)}'.encode(), digest_size=16)
    for transform in transforms:
        digest.update(_describe(transform).encode())
    for name in sorted(set(results) - {'sample_idx'}):
        value = results[name]
        digest.update(name.encode())
        if isinstance(value, np.ndarray):
            digest.update(f'{value.dtype} {value.shape}'.encode())
            digest.update(np.ascontiguousarray(value).data)
        elif name.endswith('_path') and isinstance(value, str) and os.path.isfile(value):
            state = os.stat(value)
            where = f'{os.path.abspath(value)} {state.st_size} {state.st_mtime_ns}'
            digest.update(where.encode())
        else:
            digest.update(json.dumps(_to_json(value, name)).encode())
    return digest.digest()


def _describe(transform: Callable) -> str:
    """Name and settings of a transform: as it prints them, or the attributes of one that does not print itself."""
    kind = type(transform)
    text = repr(transform)
    if kind.__repr__ is object.__repr__:
        settings = getattr(transform, '__dict__', {})
        text = json.dumps(
            [[k, _to_json(settings[k], f'{kind.__name__}.{k}')] for k in sorted(settings)]
        )
    if ' at 0x' in text:
        raise ValueError(
            f'the cache of a sampler tells transforms apart by what repr() prints, and {kind.__name__} prints '
            f'{text}; give it a __repr__ with all its settings, or leave the cache out'
        )
    return f'{kind.__module__}.{kind.__qualname__} {text}'


def _encode(made: dict, before: dict) -> dict[str, np.ndarray]:
    """What was added to or changed of a sample, as arrays: its own and one that holds the rest as JSON."""
    arrays: dict[str, np.ndarray] = {}
    dtypes: dict[str, str] = {}
    plain: dict[str, Any] = {}
    for name, value in made.items():
        if isinstance(value, np.ndarray):
            if name not in before or not np.array_equal(before[name], value):
                arrays[name], dtypes[name] = _smallest(value), value.dtype.str
        elif name not in before or type(before[name]) is not type(value) or before[name] != value:
            plain[name] = _to_json(value, name)
    gone = [name for name in before if name not in made]
    meta = json.dumps(dict(arrays=dtypes, plain=plain, gone=gone)).encode()
    return {**arrays, _META: np.frombuffer(meta, dtype=np.uint8)}


def _decode(found: dict[str, np.ndarray] | None, results: dict) -> dict | None:
    """The sample as it was given to :func:`_encode`; None if it is not there or not complete."""
    if found is None or _META not in found:
        return None
    meta = json.loads(found[_META].tobytes())
    if not set(meta['arrays']) <= set(found):
        return None
    made = {name: value for name, value in results.items() if name not in meta['gone']}
    made.update({name: found[name].astype(dtype) for name, dtype in meta['arrays'].items()})
    made.update({name: _from_json(value) for name, value in meta['plain'].items()})
    return made


def _smallest(array: np.ndarray) -> np.ndarray:
    """Floats that are all whole numbers up to 255 as bytes."""
    if array.dtype.kind != 'f':
        return array
    with np.errstate(invalid='ignore'):  # NaN and infinity are no bytes
        small = array.astype(np.uint8)
    same = np.array_equal(small, array) and not np.signbit(array).any()
    return small if same else array


def _to_json(value: Any, name: str) -> Any:
    """A value as JSON; tuples, dicts and numpy's numbers are marked as what they are."""
    if isinstance(value, np.generic):
        return {'number': value.dtype.str, 'value': value.item()}
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, (list, tuple)):
        items = [_to_json(item, name) for item in value]
        return items if isinstance(value, list) else {'tuple': items}
    if isinstance(value, dict):
        return {'dict': [[_to_json(k, name), _to_json(v, name)] for k, v in value.items()]}
    raise ValueError(
        f'the cache of a sampler cannot store {name!r}, a {type(value).__name__}; '
        'expected arrays, numbers, texts, and lists, tuples or dicts of them'
    )


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if isinstance(value, dict):
        if 'tuple' in value:
            return tuple(_from_json(item) for item in value['tuple'])
        if 'dict' in value:
            return {_from_json(k): _from_json(v) for k, v in value['dict']}
        return np.dtype(value['number']).type(value['value'])
    return value
