"""The head that the published code calls DeepLab v2: dilated branches side by side, then mixed."""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..freezing import set_norm_mode


@MODELS.register_module()
class ConcatASPPHead(BaseDecodeHead):
    """Dilated 3x3 branches and a global one, concatenated and mixed, for a stock mmseg ``EncoderDecoder``.

    Four 3x3 branches and a 1x1 branch on the picture's mean are joined and mixed by a 1x1 to ``channels``, all
    bias-free with batch norm and ReLU. Two dropouts follow, one of the mixture and one of the classifier, which has a
    bias. This is DeepLab v3's head rather than v2's (:class:`SumASPPHead`), but without its 1x1 branch. Defaults are
    those of the retraining stage of EPS with PPC on ResNet101, whose optimizer held no batch norm: scale and shift
    stay at 1 and 0 unless ``train_bn_affine``.

    Args:
        in_channels: Channels of the backbone's feature map.
        channels: Width of a branch and of the mixture.
        num_classes: Classes with the background.
        dilations: Of the 3x3 branches.
        dropout_ratio: Of single values, in both dropouts.
        norm_eval: The batch norms stay in eval mode, also in ``train()``. If they do not, a training batch needs two
            pictures: the global branch has one value a picture.
        train_bn_affine: Whether their scale and shift learn.
        norm_cfg: Norm layer; None is batch norm with momentum 3e-4.
        align_corners: Of every resize of the logits.
        init_cfg: Initialisation; None is Kaiming's, normal with fan-out.
        **kwargs: Of ``BaseDecodeHead`` (``in_index``, ``loss_decode``, ``ignore_index``, ...).

    Raises:
        ValueError: There are no ``dilations``, or one is not positive.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 256,
        *,
        num_classes: int,
        dilations: Sequence[int] = (6, 12, 18, 24),
        dropout_ratio: float = 0.5,
        norm_eval: bool = False,
        train_bn_affine: bool = False,
        norm_cfg: dict | None = None,
        align_corners: bool = True,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        if not dilations or min(dilations) < 1:
            raise ValueError(f'dilations must be one or more of at least 1, found {dilations}')
        super().__init__(
            in_channels,
            channels,
            num_classes=num_classes,
            dropout_ratio=dropout_ratio,
            norm_cfg=norm_cfg or {'type': 'BN', 'momentum': 3e-4},
            align_corners=align_corners,
            init_cfg=init_cfg or {'type': 'Kaiming', 'layer': 'Conv2d'},
            **kwargs,
        )
        layers = {'conv_cfg': self.conv_cfg, 'norm_cfg': self.norm_cfg, 'act_cfg': self.act_cfg}
        self.branches = nn.ModuleList(
            ConvModule(self.in_channels, channels, 3, padding=rate, dilation=rate, **layers)
            for rate in dilations
        )
        self.global_branch = ConvModule(self.in_channels, channels, 1, **layers)
        self.mix = ConvModule((len(dilations) + 1) * channels, channels, 1, **layers)
        self.mix_dropout = nn.Dropout(dropout_ratio)
        if dropout_ratio > 0:
            self.dropout = nn.Dropout(dropout_ratio)
        self.norm_eval = norm_eval
        self.train_bn_affine = train_bn_affine
        self._set_norms()

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Feature maps of the backbone, the chosen one (N, in_channels, h, w), to logits
        (N, num_classes, h, w).

        Raises:
            ValueError: One picture in training, with batch norm on batch statistics.
        """
        features = self._transform_inputs(inputs)
        mean = self.global_branch(features.mean(dim=(2, 3), keepdim=True))
        maps = [branch(features) for branch in self.branches]
        mixed = self.mix(torch.cat([*maps, mean.expand_as(maps[0])], dim=1))
        return self.cls_seg(self.mix_dropout(mixed))

    def _set_norms(self) -> None:
        set_norm_mode(self, norm_eval=self.norm_eval, train_bn_affine=self.train_bn_affine)

    def train(self, mode: bool = True) -> 'ConcatASPPHead':
        """Like ``nn.Module.train``, but what is frozen stays so."""
        super().train(mode)
        if mode:
            self._set_norms()
        return self
