"""Projection of pixel features into the space of the contrast."""

import torch.nn as nn
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class PixelProjector(BaseModule):
    """1x1 convolution and ReLU (Sec. 3.2). Used in training only.

    Because of the ReLU the embeddings are non-negative and their cosines lie in [0, 1].

    Args:
        in_channels: Channels of the features.
        out_channels: D, the embeddings' dimension.
        init_cfg: Initialisation; Xavier uniform by default.
    """

    def __init__(
        self, in_channels: int, out_channels: int = 128, init_cfg: dict | list | None = None
    ) -> None:
        super().__init__(
            init_cfg or dict(type='Xavier', layer='Conv2d', distribution='uniform', gain=1)
        )
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Project (N, in_channels, h, w) to (N, D, h, w)."""
        return self.conv(features).relu()
