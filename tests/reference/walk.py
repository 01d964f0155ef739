"""The random walk by its definition: a dense matrix, squared again and again."""

import torch
from torch import Tensor


def literal_walk(
    scores: Tensor, affinity: Tensor, offsets: Tensor, beta: float, log_steps: int
) -> Tensor:
    """Scores (K, h, w) after 2 ** log_steps steps; affinity (O, h, w) at the pairs' first cells."""
    _, height, width = affinity.shape
    dense = torch.eye(height * width, dtype=affinity.dtype)
    for index, (dy, dx) in enumerate(offsets.tolist()):
        for y in range(height):
            for x in range(width):
                if 0 <= y + dy < height and 0 <= x + dx < width:
                    first, second = y * width + x, (y + dy) * width + x + dx
                    dense[first, second] = dense[second, first] = affinity[index, y, x]
    dense = dense**beta
    transition = dense / dense.sum(dim=0, keepdim=True)
    for _ in range(log_steps):
        transition = transition @ transition
    return (scores.flatten(1) @ transition).reshape(scores.shape)


def dense_walk(
    scores: Tensor, affinity: Tensor, offsets: Tensor, beta: float, log_steps: int
) -> Tensor:
    """The same with the matrix filled by slices: what the published code does, as fast as it goes."""
    _, height, width = affinity.shape
    cells = torch.arange(height * width).reshape(height, width)
    dense = torch.eye(height * width, dtype=affinity.dtype)
    for index, (dy, dx) in enumerate(offsets.tolist()):
        left, right = max(-dx, 0), width - max(dx, 0)
        if dy >= height or left >= right:
            continue
        first = cells[: height - dy, left:right]
        second = cells[dy:, left + dx : right + dx]
        values = affinity[index, : height - dy, left:right]
        dense[first, second] = values
        dense[second, first] = values
    transition = dense**beta
    transition /= transition.sum(dim=0, keepdim=True)
    for _ in range(log_steps):
        transition = transition @ transition
    return (scores.flatten(1) @ transition).reshape(scores.shape)
