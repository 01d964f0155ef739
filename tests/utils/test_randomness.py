import random

import numpy as np
import torch

from mmppc.utils.randomness import derive_seeds, seed_generators, seeded


def draw():
    return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002


def test_equal_parts_give_equal_numbers():
    seed_generators(3, 7, 0)
    first = draw()
    seed_generators(3, 7, 0)
    assert draw() == first


def test_every_part_counts():
    parts = [(0, 0), (0, 1), (1, 0), (0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]
    assert len({derive_seeds(*part) for part in parts}) == len(parts)
    assert len(set(derive_seeds(0, 0))) == 3


def test_seeded_leaves_the_generators_as_they_were():
    seed_generators(0)
    expected = draw(), draw()
    seed_generators(0)
    before = draw()
    with seeded(5, 6):
        inside = draw()
    assert (before, draw()) == expected
    with seeded(5, 6):
        assert draw() == inside


def test_seeded_leaves_the_generators_as_they_were_after_an_error():
    seed_generators(0)
    expected = draw()
    seed_generators(0)
    try:
        with seeded(1):
            draw()
            raise KeyError
    except KeyError:
        pass
    assert draw() == expected
