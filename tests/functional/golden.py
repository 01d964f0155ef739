"""Inputs of the reference sheet's golden values (Appendix A), all float64, drawn by formula."""

import os

import pytest
import torch


def grid(num, channels, height, width):
    """Indices n, c, i (row), j (column), each (num, channels, height, width)."""
    axes = [torch.arange(k, dtype=torch.float64) for k in (num, channels, height, width)]
    return torch.meshgrid(*axes, indexing='ij')


def multi_hot(*pictures, num_classes=20):
    """Tags (N, C) from the foreground indices (background not counted) of each picture."""
    tags = torch.zeros(len(pictures), num_classes)
    for n, classes in enumerate(pictures):
        tags[n, list(classes)] = 1
    return tags


def contrast_inputs():
    """Features and maps of two views; channels 3, 8 and 8, 15 are tagged."""
    n, c, i, j = grid(2, 21, 16, 16)
    cams = [
        torch.relu(torch.sin(0.7 * c + 0.13 * (v + 1) * i + 0.29 * j + 1.1 * n)) for v in (0, 1)
    ]
    n, d, i, j = grid(2, 16, 16, 16)
    features = [
        torch.relu(torch.sin(0.31 * d + 0.17 * i + 0.23 * (v + 1) * j + 0.9 * n)) for v in (0, 1)
    ]
    return [f.requires_grad_() for f in features], cams, multi_hot((2, 7), (7, 14))


def seam_inputs():
    """Maps and refined maps of a 64 px and a 32 px view.

    The sheet says the tags are those of the contrast. Its numbers come out when 3, 8 and 8, 15 count
    the foreground classes only, that is for the channels 4, 9 and 9, 16.
    """
    cams, refined = [], []
    for v, size in ((0, 64), (1, 32)):
        n, c, i, j = grid(2, 21, size, size)
        cams.append(torch.sin(0.7 * c + 0.03 * (v + 1) * i + 0.05 * j + 1.1 * n))
        refined.append(torch.sin(0.5 * c + 0.04 * (v + 1) * i + 0.02 * j + 0.7 * n))
    return tuple(cams), tuple(refined), multi_hot((3, 8), (8, 15))


def correlation_inputs():
    """Raw maps and features for PCM."""
    _, c, i, j = grid(1, 21, 12, 12)
    cams = torch.sin(0.7 * c + 0.23 * i + 0.29 * j)
    _, d, i, j = grid(1, 8, 12, 12)
    return cams, torch.sin(0.31 * d + 0.17 * i + 0.23 * j)


def saliency_inputs():
    """Maps in EPS's own order, background last, and saliency maps; channels 3, 8 and 8, 15 are tagged."""
    n, c, i, j = grid(2, 21, 14, 14)
    cams = 3 * torch.sin(0.7 * c + 0.13 * i + 0.29 * j + 1.1 * n)
    cams[:, [3, 8]] += 3
    n, _, i, j = grid(2, 1, 56, 56)
    saliency = 0.5 + 0.5 * torch.sin(0.05 * i + 0.09 * j + 1.1 * n)
    return cams, saliency, multi_hot((3, 8), (8, 15))


# The background's prototype stands on pixels of one and the same confidence, so the golden values
# depend on the order in which torch.topk takes equal values: not the lowest index, as the sheet says,
# but what the C++ library's nth_element leaves in front. With another library they do not hold.
_TAKEN = torch.full((512,), 0.2, dtype=torch.float64).topk(32).indices.sort().values
golden_ties = pytest.mark.skipif(
    not torch.equal(_TAKEN, torch.arange(321, 353)) and not os.environ.get('CI'),
    reason='torch.topk takes equal values in another order here than where the golden values arose',
)
