from types import SimpleNamespace

import torch

from mmppc.hooks import RandomStateHook


def draws(seed, iteration):
    RandomStateHook().before_train_iter(SimpleNamespace(seed=seed, iter=iteration), iteration)
    return torch.rand(4)


def test_an_iteration_draws_the_same_whatever_came_before():
    first = draws(0, 5)
    torch.rand(100)
    assert torch.equal(draws(0, 5), first)
    assert not torch.equal(draws(0, 6), first)
    assert not torch.equal(draws(1, 5), first)


def test_ranks_draw_differently(monkeypatch):
    first = draws(0, 5)
    monkeypatch.setattr('mmppc.hooks.random_state_hook.get_rank', lambda: 1)
    assert not torch.equal(draws(0, 5), first)
