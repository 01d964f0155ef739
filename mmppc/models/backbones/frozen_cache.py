"""What the frozen part of a network makes of a picture, kept on disk."""

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor

from mmppc.storage.array_store import ArrayStore

DTYPES = ('float32', 'float16')


class LeftOutTap:
    """In the place of a feature map that a cache was told to leave out; any use of it is refused.

    Args:
        index: Its place among the backbone's outputs.
        kept: The places which the cache keeps.
    """

    def __init__(self, index: int, kept: Sequence[int]) -> None:
        self._message = (
            f'feature map {index} of the backbone is used, but frozen_cache keeps only taps={tuple(kept)} of the '
            f'frozen ones: add {index}'
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        raise ValueError(self._message)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        """Called in the place of any function of PyTorch that gets one."""
        given = (*args, *(kwargs or {}).values())
        listed = (item for value in given if isinstance(value, (list, tuple)) for item in value)
        raise ValueError(next(v._message for v in (*given, *listed) if isinstance(v, cls)))


class FrozenCache:
    """Named arrays a picture, under a digest of the picture and of the network that made them.

    Pictures are those that enter the network, after augmentation and normalisation, so that it does not matter where
    they come from: training crops, second views, test pictures of any size.

    Args:
        path: The file, see :class:`~mmppc.storage.array_store.ArrayStore`.
        taps: Places, among the backbone's outputs, of the frozen feature maps that the rest of the network reads; None
            for all. What the trained part goes on from is kept in any case.
        dtype: ``float32``, exact; or ``float16``, half the size and no longer exact.
        max_gb: Size from which nothing more is stored, in 10^9 bytes.

    Raises:
        ValueError: An option has no such value.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        taps: Sequence[int] | None = None,
        dtype: str = 'float32',
        max_gb: float = 20.0,
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f'frozen_cache.dtype={dtype!r}, expected one of {DTYPES}')
        self.store = ArrayStore(path, max_gb)
        self.taps = None if taps is None else tuple(sorted(set(taps)))
        self.dtype = dtype

    def fetch(
        self,
        inputs: Tensor,
        network: bytes,
        names: Sequence[str],
        compute: Callable[[Tensor], dict[str, Tensor]],
    ) -> dict[str, Tensor]:
        """Features of a batch; those that are not stored are computed together, and stored.

        Args:
            inputs: Pictures (N, 3, H, W).
            network: Digest of what ``compute`` depends on beside the pictures, at most 64 bytes.
            names: Names of the features.
            compute: Maps pictures to float features (n, ...) by these names.

        Returns:
            Features (N, ...) by name, of the type and on the device of ``inputs``.
        """
        keys = self._keys(inputs, network)
        stored = self.store.read(keys, names)
        missing = [place for place, item in enumerate(stored) if item is None]
        if not missing:
            return {
                name: self._batch([item[name] for item in stored if item], inputs) for name in names
            }
        fresh = compute(inputs if len(missing) == len(keys) else inputs[missing])
        self._keep([keys[place] for place in missing], {name: fresh[name] for name in names})
        if len(missing) == len(keys):
            return fresh
        present = [place for place, item in enumerate(stored) if item is not None]
        result = {}
        for name in names:
            kept = self._batch([item[name] for item in stored if item is not None], inputs)
            result[name] = kept.new_empty(len(keys), *kept.shape[1:])
            result[name][present] = kept
            result[name][missing] = fresh[name].to(kept.dtype)
        return result

    def _keys(self, inputs: Tensor, network: bytes) -> list[bytes]:
        """A digest a picture: of its shape, type and bytes."""
        pictures = inputs.detach().cpu().contiguous()
        head = f'{tuple(inputs.shape[1:])} {inputs.dtype} {self.dtype}'.encode()
        keys = []
        for picture in pictures:
            digest = hashlib.blake2b(head, digest_size=16, key=network)
            digest.update(picture.view(-1).view(torch.uint8).numpy().data)
            keys.append(digest.digest())
        return keys

    def _keep(self, keys: Sequence[bytes], features: dict[str, Tensor]) -> None:
        if self.store.full:
            return
        arrays = {
            name: value.detach().to('cpu', getattr(torch, self.dtype)).numpy()
            for name, value in features.items()
        }
        items = {
            key: {name: array[k] for name, array in arrays.items()} for k, key in enumerate(keys)
        }
        if not self.store.write(items):
            print_log(
                f'{self.store.path}: the cache has reached max_gb={self.store.max_gb}; nothing more is stored',
                logger='current',
                level=logging.WARNING,
            )

    @staticmethod
    def _batch(arrays: Sequence[np.ndarray], like: Tensor) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(like.device, like.dtype)
