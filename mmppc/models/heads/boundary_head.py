"""IRN's boundary network on top of a backbone: class boundaries, and displacements to the objects' centres."""

from collections.abc import Sequence

import torch
import torch.nn as nn
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor

from mmppc.functional.affinity import boundary_affinity

from .grid import check_grid, crop_to

EDGE_CHANNELS = 32
FIRST_FINE_CHANNELS = 64
FINE_CHANNELS = 128
COARSE_CHANNELS = 256


@MODELS.register_module()
class BoundaryHead(BaseModule):
    """Edge and displacement branches (IRN; reference sheet, section 9).

    Edges: every level becomes 32 channels on the grid, all together one logit. Displacements: levels on the grid become
    64 channels (the first) or 128, coarser ones 256 channels on a grid of half the resolution, where they are joined.
    A branch is a bias-free 1x1 convolution, group norm, bilinear enlargement where needed, and ReLU. Levels whose sizes
    were rounded up are cut off on the right and below.

    Args:
        in_channels: Channels of the backbone's levels that are used.
        strides: Their strides; at least one is that of the grid, at least one is coarser.
        in_indices: Their places among the backbone's outputs; None for the first ones.
        stride: Pixels of the input per cell of the grid, along one side.
        detach: Stop the gradient before the backbone.
        affinity_loss: Loss of the edges, an :class:`AffinityLoss`; None for IRN's.
        displacement_loss: Loss of the displacements, a :class:`DisplacementLoss`; None for IRN's.
        init_cfg: Initialisation; by default PyTorch's own, as published.

    Raises:
        ValueError: The numbers of levels differ, or the strides do not suit the grid.
    """

    displacement_mean: Tensor

    def __init__(
        self,
        in_channels: Sequence[int] = (64, 256, 512, 1024, 2048),
        strides: Sequence[int] = (4, 4, 8, 16, 16),
        in_indices: Sequence[int] | None = None,
        stride: int = 4,
        detach: bool = True,
        affinity_loss: dict | None = None,
        displacement_loss: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        places = tuple(range(len(in_channels)) if in_indices is None else in_indices)
        _check_levels(in_channels, strides, places, stride)
        super().__init__(init_cfg)
        self.in_indices = places
        self.stride = stride
        self.detach = detach
        self.fine = tuple(level for level, value in enumerate(strides) if value == stride)
        self.coarse = tuple(level for level, value in enumerate(strides) if value != stride)

        self.edge_levels = nn.ModuleList(
            _branch(width, EDGE_CHANNELS, 4, value // stride)
            for width, value in zip(in_channels, strides)
        )
        self.edge_out = nn.Conv2d(EDGE_CHANNELS * len(places), 1, 1)

        fine_widths = [FIRST_FINE_CHANNELS] + [FINE_CHANNELS] * (len(self.fine) - 1)
        widths = dict(zip(self.fine, fine_widths))
        self.displacement_levels = nn.ModuleList(
            _branch(width, widths[level], widths[level] // 8)
            if level in widths
            else _branch(width, COARSE_CHANNELS, 16, strides[level] // (2 * stride))
            for level, width in enumerate(in_channels)
        )
        self.displacement_coarse = _branch(
            COARSE_CHANNELS * len(self.coarse), COARSE_CHANNELS, 16, 2
        )
        self.displacement_fuse = _branch(sum(fine_widths) + COARSE_CHANNELS, 256, 16)
        self.displacement_out = nn.Conv2d(256, 2, 1, bias=False)
        self.register_buffer('displacement_mean', torch.zeros(2))

        self.affinity_loss = MODELS.build(affinity_loss or dict(type='AffinityLoss', radius=10))
        self.displacement_loss = MODELS.build(
            displacement_loss or dict(type='DisplacementLoss', radius=10)
        )

    def forward(self, taps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Edge logits (N, 1, h, w) and displacements (N, 2, h, w), (dy, dx) in cells, of all outputs of the backbone.

        In eval mode the buffer ``displacement_mean`` (2,), the mean displacement of the training pictures, is
        subtracted.
        """
        levels = self._levels(taps)
        return self._edge(levels), self._displacement(levels)

    def _levels(self, taps: Sequence[Tensor]) -> list[Tensor]:
        return [taps[place].detach() if self.detach else taps[place] for place in self.in_indices]

    def _edge(self, levels: Sequence[Tensor]) -> Tensor:
        grid = _size(levels[self.fine[0]])
        parts = [branch(level) for branch, level in zip(self.edge_levels, levels)]
        return self.edge_out(torch.cat([crop_to(part, grid, self.stride) for part in parts], dim=1))

    def _displacement(self, levels: Sequence[Tensor]) -> Tensor:
        grid = _size(levels[self.fine[0]])
        half = ((grid[0] + 1) // 2, (grid[1] + 1) // 2)
        parts = [branch(level) for branch, level in zip(self.displacement_levels, levels)]
        coarse = [crop_to(parts[level], half, 2 * self.stride) for level in self.coarse]
        joined = self.displacement_coarse(torch.cat(coarse, dim=1))
        fine = [
            crop_to(part, grid, self.stride) for part in (*(parts[i] for i in self.fine), joined)
        ]
        displacement = self.displacement_out(self.displacement_fuse(torch.cat(fine, dim=1)))
        return (
            displacement if self.training else displacement - self.displacement_mean[:, None, None]
        )

    def loss(self, taps: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Terms of both losses for label maps (N, h, w) on the grid, 0 the background, 255 where unsure.

        Raises:
            ValueError: The labels' grid is not that of the edges.
        """
        logits, displacement = self(taps)
        check_grid(labels, logits, self.stride)
        edge = logits.float().sigmoid().squeeze(1)
        affinity = boundary_affinity(edge, self.affinity_loss.offsets)
        return {
            **self.affinity_loss(affinity, labels),
            **self.displacement_loss(displacement.float(), labels),
        }

    def predict(
        self, taps: Sequence[Tensor], size: tuple[int, int], offsets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Affinities of one picture and the gate of its scores.

        Args:
            taps: Outputs of the backbone for the picture, (1, ...), or for it and its mirror image, (2, ...), whose
                logits are mirrored back and averaged.
            size: (h, w) of the grid without padding; what lies to the right and below is cut off before.
            offsets: (O, 2) of (dy, dx).

        Returns:
            Affinities (O, h, w) in [0, 1] and the gate (h, w), one minus the edge.
        """
        logits = crop_to(self._edge(self._levels(taps)).float(), size, self.stride)[:, 0]
        if len(logits) == 2:
            logits = torch.stack([logits[0], logits[1].flip(-1)])
        edge = logits.mean(dim=0).sigmoid()
        return boundary_affinity(edge, offsets), 1 - edge


def _branch(before: int, after: int, groups: int, scale: int = 1) -> nn.Sequential:
    """Bias-free 1x1 convolution, group norm, enlargement, ReLU: (N, before, h, w) to (N, after, scale h, scale w)."""
    branch = nn.Sequential()
    branch.add_module('conv', nn.Conv2d(before, after, 1, bias=False))
    branch.add_module('norm', nn.GroupNorm(groups, after))
    if scale > 1:
        enlarge = nn.Upsample(scale_factor=scale, mode='bilinear', align_corners=False)
        branch.add_module('upsample', enlarge)
    branch.add_module('relu', nn.ReLU(inplace=True))
    return branch


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]


def _check_levels(
    in_channels: Sequence[int], strides: Sequence[int], places: Sequence[int], stride: int
) -> None:
    if not len(in_channels) == len(strides) == len(places):
        raise ValueError(
            'in_channels, strides and in_indices need one value a level, got '
            f'{tuple(in_channels)}, {tuple(strides)} and {tuple(places)}'
        )
    if stride < 1 or any(value != stride and value % (2 * stride) for value in strides):
        raise ValueError(
            f'strides must be the stride of the grid, {stride}, or multiples of {2 * stride}, got {tuple(strides)}'
        )
    if stride not in strides or set(strides) == {stride}:
        raise ValueError(
            f'strides need a level of the grid, {stride}, and a coarser one, got {tuple(strides)}'
        )
