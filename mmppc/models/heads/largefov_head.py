"""DeepLab's large-field-of-view head."""

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from torch import Tensor, nn

from ..freezing import set_norm_mode


@MODELS.register_module()
class LargeFOVHead(BaseDecodeHead):
    """Dilated 3x3, 1x1, dropout, classifier (DeepLab v1), for a stock mmseg ``EncoderDecoder``.

    Both convolutions are bias-free with batch norm and ReLU; the classifier has a bias. Defaults
    are those of the retraining stage of SEAM and PPC on ResNet38, whose optimizer held no batch
    norm: scale and shift stay at 1 and 0 unless ``train_bn_affine``.

    Args:
        in_channels: Channels of the backbone's feature map.
        channels: Width of the head.
        num_classes: Classes with the background.
        dilation: Of the 3x3 convolution; its field of view is 2 * dilation + 1.
        dropout_ratio: Of single values (not whole channels) before the classifier.
        norm_eval: The batch norms stay in eval mode, also in ``train()``.
        train_bn_affine: Whether their scale and shift learn.
        norm_cfg: Norm layer; None is batch norm with momentum 3e-4.
        align_corners: Of every resize of the logits.
        init_cfg: Initialisation; None is Kaiming's, normal with fan-out.
        **kwargs: Of ``BaseDecodeHead`` (``in_index``, ``loss_decode``, ``ignore_index``, ...).

    Raises:
        ValueError: ``dilation`` is not positive.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 512,
        *,
        num_classes: int,
        dilation: int = 12,
        dropout_ratio: float = 0.5,
        norm_eval: bool = False,
        train_bn_affine: bool = False,
        norm_cfg: dict | None = None,
        align_corners: bool = True,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        if dilation < 1:
            raise ValueError(f'dilation must be at least 1, found {dilation}')
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
        self.fov = ConvModule(
            self.in_channels, channels, 3, padding=dilation, dilation=dilation, **layers
        )
        self.mix = ConvModule(channels, channels, 1, **layers)
        if dropout_ratio > 0:
            self.dropout = nn.Dropout(dropout_ratio)
        self.norm_eval = norm_eval
        self.train_bn_affine = train_bn_affine
        self._set_norms()

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Feature maps of the backbone, the chosen one (N, in_channels, h, w), to logits
        (N, num_classes, h, w)."""
        return self.cls_seg(self.mix(self.fov(self._transform_inputs(inputs))))

    def _set_norms(self) -> None:
        set_norm_mode(self, norm_eval=self.norm_eval, train_bn_affine=self.train_bn_affine)

    def train(self, mode: bool = True) -> 'LargeFOVHead':
        """Like ``nn.Module.train``, but what is frozen stays so."""
        super().train(mode)
        if mode:
            self._set_norms()
        return self
