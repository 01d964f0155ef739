"""SEAM's pixel correlation module."""

from collections.abc import Sequence

import torch
import torch.nn as nn
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.equivariance import pixel_correlation

from ..views import resize_maps


@MODELS.register_module()
class PixelCorrelation(BaseModule):
    """Refine maps by the similarity of pixels in colour and low-level features (SEAM; reference sheet, section 3).

    Nothing flows back into the backbone or the maps: only the projections learn.

    Args:
        in_channels: Channels of the backbone's taps that are used.
        in_indices: Their places among the backbone's outputs.
        channels: Channels each tap is projected to.
        out_channels: Channels of the joint feature.
        use_image: Add the input picture's three channels.
        chunk: Pixels refined at once at inference, which bounds the memory; training handles all at once.
        init_cfg: Initialisation; as published by default.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (512, 1024),
        in_indices: Sequence[int] = (1, 2),
        channels: Sequence[int] = (64, 128),
        out_channels: int = 192,
        use_image: bool = True,
        chunk: int = 2048,
        init_cfg: dict | list | None = None,
    ) -> None:
        if not len(in_channels) == len(in_indices) == len(channels):
            raise ValueError(
                'in_channels, in_indices and channels need one value a tap, got '
                f'{tuple(in_channels)}, {tuple(in_indices)} and {tuple(channels)}'
            )
        fuse = dict(type='Xavier', distribution='uniform', gain=4, override=dict(name='fuse'))
        project = dict(type='Kaiming', layer='Conv2d', mode='fan_in')
        super().__init__(init_cfg or [project, fuse])
        self.in_indices = tuple(in_indices)
        self.use_image = use_image
        self.chunk = chunk
        for index, (before, after) in enumerate(zip(in_channels, channels)):
            self.add_module(f'proj{index}', nn.Conv2d(before, after, 1, bias=False))
        joined = sum(channels) + (3 if use_image else 0)
        self.fuse = nn.Conv2d(joined, out_channels, 1, bias=False)

    def features(self, inputs: Tensor, taps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Features on the maps' grid, (N, out_channels, h, w), from pictures (N, 3, H, W) and all taps."""
        parts = [inputs] if self.use_image else []
        for index, place in enumerate(self.in_indices):
            parts.append(getattr(self, f'proj{index}')(taps[place].detach()).relu())
        return self.fuse(torch.cat([resize_maps(part, size) for part in parts], dim=1))

    def forward(self, logits: Tensor, inputs: Tensor, taps: Sequence[Tensor]) -> Tensor:
        """Refine raw maps (N, 1+C, h, w), background first, to maps in [0, 1] of the same shape."""
        size = (logits.shape[-2], logits.shape[-1])
        features = self.features(inputs, taps, size)
        with torch.autocast(logits.device.type, enabled=False):
            chunk = None if self.training else self.chunk
            return pixel_correlation(logits.float(), features.float(), chunk=chunk)
