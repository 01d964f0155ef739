"""Digests of weights."""

import torch
from torch import nn

from mmppc.utils.model_digest import weights_digest


def test_digest_tells_weights_apart() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    before = weights_digest(first)
    assert len(before) == 16
    assert before != weights_digest(second)
    second.load_state_dict(first.state_dict())
    assert before == weights_digest(second)
    with torch.no_grad():
        first.bias[0] += 1e-6
    assert before != weights_digest(first)
    assert weights_digest(nn.BatchNorm1d(2)) != weights_digest(nn.BatchNorm1d(3))  # a 0-d buffer
