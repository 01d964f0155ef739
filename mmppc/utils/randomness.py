"""Random numbers that depend on a place in the training, and on nothing that happened before it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive_seeds(*parts: int) -> tuple[int, int, int]:
    """Three well mixed 32-bit seeds from non-negative integers such as (seed, iteration, rank)."""
    # The length comes first: SeedSequence takes (1, 2) and (1, 2, 0) for the same.
    first, second, third = np.random.SeedSequence((len(parts), *parts)).generate_state(3)
    return int(first), int(second), int(third)


def seed_generators(*parts: int) -> None:
    """Seed the default generators of Python, NumPy and PyTorch (CPU and CUDA) from ``parts``."""
    python, numpy, pytorch = derive_seeds(*parts)
    random.seed(python)
    np.random.seed(numpy)
    torch.manual_seed(pytorch)


@contextmanager
def seeded(*parts: int) -> Iterator[None]:
    """Seed the CPU generators from ``parts``, and put back their states at the end."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    python, numpy, pytorch = derive_seeds(*parts)
    random.seed(python)
    np.random.seed(numpy)
    torch.default_generator.manual_seed(pytorch)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
