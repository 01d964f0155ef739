"""The classic head of DeepLab v2: a sum of dilated classifiers."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class SumASPPHead(BaseDecodeHead):
    """Sum of dilated 3x3 classifiers on one feature map (DeepLab v2), for a stock mmseg ``EncoderDecoder``.

    The classifiers, each with a bias, see the same features at several fields of view; nothing is between the backbone
    and them: no batch norm, no dropout. They are ``conv_seg.0``, ``conv_seg.1``, ...

    Args:
        in_channels: Channels of the backbone's feature map.
        num_classes: Classes with the background.
        dilations: Of the classifiers; the field of view of one is 2 * dilation + 1.
        dropout_ratio: Of single values before the classifiers; the original has none.
        align_corners: Of every resize of the logits.
        init_cfg: Initialisation; None is normal with standard deviation 0.01, biases 0.
        **kwargs: Of ``BaseDecodeHead`` (``in_index``, ``loss_decode``, ``ignore_index``, ...).

    Raises:
        ValueError: There are no ``dilations``, or one is not positive.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        num_classes: int,
        dilations: Sequence[int] = (6, 12, 18, 24),
        dropout_ratio: float = 0.0,
        align_corners: bool = True,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        if not dilations or min(dilations) < 1:
            raise ValueError(f'dilations must be one or more of at least 1, found {dilations}')
        super().__init__(
            in_channels,
            in_channels,
            num_classes=num_classes,
            dropout_ratio=dropout_ratio,
            align_corners=align_corners,
            init_cfg=init_cfg or {'type': 'Normal', 'layer': 'Conv2d', 'std': 0.01},
            **kwargs,
        )
        if dropout_ratio > 0:
            self.dropout = nn.Dropout(dropout_ratio)
        self.conv_seg = nn.ModuleList(
            nn.Conv2d(self.in_channels, self.out_channels, 3, padding=rate, dilation=rate)
            for rate in dilations
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Feature maps of the backbone, the chosen one (N, in_channels, h, w), to logits
        (N, num_classes, h, w)."""
        return self.cls_seg(self._transform_inputs(inputs))

    def cls_seg(self, feat: Tensor) -> Tensor:
        """Features (N, in_channels, h, w) to logits (N, num_classes, h, w)."""
        if self.dropout is not None:
            feat = self.dropout(feat)
        return torch.stack([classifier(feat) for classifier in self.conv_seg]).sum(dim=0)
