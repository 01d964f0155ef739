"""PSA's affinity network on top of a backbone."""

from collections.abc import Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.affinity import feature_affinity

from .grid import check_grid, crop_to


@MODELS.register_module()
class AffinityHead(BaseModule):
    """Features whose nearness is the affinity of neighbouring cells (PSA; reference sheet, section 8).

    Each level is projected by a bias-free 1x1 convolution and ELU; the joint projections are fused by another. Nothing
    is detached: the backbone learns as well. The affinity of two cells is exp(-mean |difference|) of their features.

    Args:
        in_channels: Channels of the backbone's levels that are used.
        channels: Channels each of them is projected to.
        in_indices: Their places among the backbone's outputs. The first gives the grid; levels of another size are
            resized to it bilinearly.
        out_channels: Channels of the fused feature; None for the sum of ``channels``.
        stride: Pixels of the input per cell of the grid, along one side.
        loss: An :class:`AffinityLoss`.
        init_cfg: Initialisation; as published by default.

    Raises:
        ValueError: The numbers of channels and places differ, or one is not positive.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (512, 1024, 4096),
        channels: Sequence[int] = (64, 128, 256),
        in_indices: Sequence[int] = (0, 1, 2),
        out_channels: int | None = None,
        stride: int = 8,
        loss: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        if not len(in_channels) == len(channels) == len(in_indices) or not len(channels):
            raise ValueError(
                'in_channels, channels and in_indices need one value a level, got '
                f'{tuple(in_channels)}, {tuple(channels)} and {tuple(in_indices)}'
            )
        out_channels = sum(channels) if out_channels is None else out_channels
        if min(*in_channels, *channels, out_channels, stride) < 1:
            raise ValueError(
                f'channels and stride must be positive, got in_channels={tuple(in_channels)}, '
                f'channels={tuple(channels)}, out_channels={out_channels} and stride={stride}'
            )
        fuse = dict(type='Xavier', distribution='uniform', gain=4, override=dict(name='fuse'))
        project = dict(type='Kaiming', layer='Conv2d', mode='fan_in')
        super().__init__(init_cfg or [project, fuse])
        self.in_indices = tuple(in_indices)
        self.stride = stride
        for index, (before, after) in enumerate(zip(in_channels, channels)):
            self.add_module(f'proj{index}', nn.Conv2d(before, after, 1, bias=False))
        self.fuse = nn.Conv2d(sum(channels), out_channels, 1, bias=False)
        self.affinity_loss = MODELS.build(
            loss or dict(type='AffinityLoss', radius=5, border='full')
        )

    def forward(self, taps: Sequence[Tensor]) -> Tensor:
        """Features (N, out_channels, h, w) of all outputs of the backbone."""
        parts: list[Tensor] = []
        for index, place in enumerate(self.in_indices):
            part = F.elu(getattr(self, f'proj{index}')(taps[place]))
            if parts and part.shape[-2:] != parts[0].shape[-2:]:
                part = F.interpolate(
                    part, size=parts[0].shape[-2:], mode='bilinear', align_corners=False
                )
            parts.append(part)
        return F.elu(self.fuse(torch.cat(parts, dim=1)))

    def loss(self, taps: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        """The loss's terms for label maps (N, h, w) on the grid, 0 the background, 255 where unsure.

        Raises:
            ValueError: The labels' grid is not that of the features.
        """
        features = self(taps).float()
        check_grid(labels, features, self.stride)
        affinity = feature_affinity(features, self.affinity_loss.offsets)
        return self.affinity_loss(affinity, labels)

    def predict(
        self, taps: Sequence[Tensor], size: tuple[int, int], offsets: Tensor
    ) -> tuple[Tensor, None]:
        """Affinities of one picture.

        Args:
            taps: Outputs of the backbone for the picture, (1, ...), or for it and its mirror image, (2, ...), whose
                features are mirrored back and averaged.
            size: (h, w) of the grid without padding; what lies to the right and below is cut off before.
            offsets: (O, 2) of (dy, dx).

        Returns:
            Affinities (O, h, w) in [0, 1], and None: the walk needs no gate.
        """
        features = crop_to(self(taps).float(), size, self.stride)
        if len(features) == 2:
            features = torch.stack([features[0], features[1].flip(-1)])
        return feature_affinity(features.mean(dim=0), offsets), None
