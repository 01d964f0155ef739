"""Resampling of maps, the one way in which training does it."""

import torch.nn.functional as F
from torch import Tensor


def resize_maps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resampling with aligned corners, as everywhere in training; nothing is done at equal size."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=size, mode='bilinear', align_corners=True)
