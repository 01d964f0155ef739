"""Affinities and their losses by pair lists, as the published networks compute them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmppc.functional.affinity import path_cells


def pair_indices(offsets: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Flat indices of the interior first cells (P,) and of their neighbours (O, P)."""
    reach = int(offsets.abs().max())
    cells = torch.arange(height * width).reshape(height, width)
    rows, columns = height - reach, width - 2 * reach
    first = cells[:rows, reach : reach + columns].flatten()
    second = [
        cells[dy : dy + rows, reach + dx : reach + dx + columns].flatten()
        for dy, dx in offsets.tolist()
    ]
    return first, torch.stack(second)


def gathered_feature_affinity(features: Tensor, offsets: Tensor) -> Tensor:
    """(N, D, h, w) to (N, O, P): every pair's difference of features exists at once."""
    first, second = pair_indices(offsets, *features.shape[-2:])
    flat = features.flatten(2)
    here = flat.index_select(2, first)[:, :, None]
    there = flat.index_select(2, second.flatten()).unflatten(2, second.shape)
    return torch.exp(-(here - there).abs().mean(dim=1))


def gathered_boundary_affinity(edge: Tensor, offsets: Tensor) -> Tensor:
    """(N, h, w) to (N, O, P): all cells of every path exist at once."""
    height, width = edge.shape[-2:]
    reach = int(offsets.abs().max())
    cells = torch.arange(height * width).reshape(height, width)
    rows, columns = height - reach, width - 2 * reach
    result = []
    for dy, dx in offsets.tolist():
        path = [
            cells[y : y + rows, reach + x : reach + x + columns].flatten()
            for y, x in path_cells(dy, dx)
        ]
        values = edge.flatten(1)[:, torch.stack(path)]
        result.append(1 - F.max_pool2d(values, (len(path), 1)).squeeze(1))
    return torch.stack(result, dim=1)


def gathered_labels(labels: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Float (N, O, P): background, foreground and different pairs."""
    first, second = pair_indices(offsets, *labels.shape[-2:])
    here, there = labels.flatten(1)[:, None, first], labels.flatten(1)[:, second]
    valid = (here < 255) & (there < 255)
    equal = here == there
    kinds = (valid & equal & (here == 0), valid & equal & (here > 0), valid & ~equal)
    return kinds[0].double(), kinds[1].double(), kinds[2].double()


def literal_affinity_loss(affinity: Tensor, labels: Tensor, offsets: Tensor) -> Tensor:
    """bg / 4 + fg / 4 + neg / 2 of affinities (N, O, P)."""
    background, foreground, different = gathered_labels(labels, offsets)
    total = 0
    for weight, kind, value in (
        (0.25, background, -torch.log(affinity + 1e-5)),
        (0.25, foreground, -torch.log(affinity + 1e-5)),
        (0.5, different, -torch.log(1 + 1e-5 - affinity)),
    ):
        total = total + weight * (kind * value).sum() / (kind.sum() + 1e-5)
    return total


def literal_displacement_loss(displacement: Tensor, labels: Tensor, offsets: Tensor) -> Tensor:
    """(dp_fg + dp_bg) / 2 of displacements (N, 2, h, w)."""
    background, foreground, _ = gathered_labels(labels, offsets)
    first, second = pair_indices(offsets, *labels.shape[-2:])
    flat = displacement.flatten(2)
    change = flat[:, :, None, first] - flat[:, :, second]
    goal = offsets.t()[None, :, :, None].to(change)
    fg = ((change - goal).abs() * foreground[:, None]).sum() / (2 * foreground.sum() + 1e-5)
    bg = (change.abs() * background[:, None]).sum() / (2 * background.sum() + 1e-5)
    return (fg + bg) / 2
