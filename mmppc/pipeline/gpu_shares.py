"""One GPU for each of several runs at once."""

import os
import queue
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

VARIABLE = 'CUDA_VISIBLE_DEVICES'


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return [name.strip() for name in given.split(',') if name.strip()]
    return [str(number) for number in range(torch.cuda.device_count())]


class GPUShares:
    """Lends a GPU to each of ``jobs`` runs at once; more jobs than GPUs share them evenly.

    Args:
        jobs: How many runs there are at once.
        gpus: Their names; with fewer than two there is nothing to share out.
    """

    def __init__(self, jobs: int, gpus: list[str]) -> None:
        self._free: queue.SimpleQueue[Mapping[str, str]] = queue.SimpleQueue()
        for job in range(jobs):
            self._free.put({VARIABLE: gpus[job % len(gpus)]} if len(gpus) > 1 else {})

    @contextmanager
    def lend(self) -> Iterator[Mapping[str, str]]:
        """Variables of the environment that show a run its GPU alone."""
        share = self._free.get()
        try:
            yield share
        finally:
            self._free.put(share)
