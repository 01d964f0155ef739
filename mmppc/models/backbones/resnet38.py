"""ResNet38, the wide pre-activation network of Wu et al. ("Wider or deeper") as used for CAMs."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmppc.utils.checkpoint import check_pretrained

from ..freezing import freeze_modules, set_norm_mode

_TAPS = ('conv3', 'conv4', 'conv5', 'conv6')
_CONVERTER = 'tools/model_converters/published_to_mmppc.py makes a checkpoint of ResNet38'


class _Block(nn.Module):
    """What both block types share: pre-activation, residual sum and the shortcut.

    ``forward`` maps x (N, in, H, W) to the block's output (N, out, H', W') and the BN-ReLU'd
    input (N, in, H, W), which is what the published networks tap.
    """

    bn_branch2a: nn.Module
    conv_branch1: nn.Module | None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        activated = F.relu(self.bn_branch2a(x))
        shortcut = x if self.conv_branch1 is None else self.conv_branch1(activated)
        return self.branch2(activated) + shortcut, activated

    def branch2(self, activated: Tensor) -> Tensor:
        """The residual branch behind the first activation."""
        raise NotImplementedError


class PlainBlock(_Block):
    """Two 3x3 convolutions; the shortcut is the raw input if neither width nor size changes.

    Args:
        channels: Widths (in, middle, out).
        stride: Of the first convolution.
        dilations: Of the first and the second convolution.
        norm_cfg: Norm layer config.
    """

    def __init__(
        self,
        channels: tuple[int, int, int],
        stride: int,
        dilations: tuple[int, int],
        norm_cfg: dict,
    ) -> None:
        super().__init__()
        width_in, middle, width_out = channels
        first, second = dilations
        self.bn_branch2a = build_norm_layer(norm_cfg, width_in)[1]
        self.conv_branch2a = nn.Conv2d(
            width_in, middle, 3, stride, padding=first, dilation=first, bias=False
        )
        self.bn_branch2b1 = build_norm_layer(norm_cfg, middle)[1]
        self.conv_branch2b1 = nn.Conv2d(
            middle, width_out, 3, padding=second, dilation=second, bias=False
        )
        same = width_in == width_out and stride == 1
        self.conv_branch1 = None if same else nn.Conv2d(width_in, width_out, 1, stride, bias=False)

    def branch2(self, activated: Tensor) -> Tensor:
        x = self.conv_branch2a(activated)
        return self.conv_branch2b1(F.relu(self.bn_branch2b1(x)))


class BottleneckBlock(_Block):
    """1x1, 3x3, 1x1 (out/4, out/2, out channels) with dropout; the shortcut is always a 1x1.

    Args:
        channels: Widths (in, out).
        stride: Of the first convolution.
        dilation: Of the 3x3 convolution.
        dropout: Ratio of dropped channels before the second and the third convolution.
        norm_cfg: Norm layer config.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        stride: int,
        dilation: int,
        dropout: float,
        norm_cfg: dict,
    ) -> None:
        super().__init__()
        width_in, width_out = channels
        quarter, half = width_out // 4, width_out // 2
        self.bn_branch2a = build_norm_layer(norm_cfg, width_in)[1]
        self.conv_branch2a = nn.Conv2d(width_in, quarter, 1, stride, bias=False)
        self.bn_branch2b1 = build_norm_layer(norm_cfg, quarter)[1]
        self.dropout_2b1 = nn.Dropout2d(dropout)
        self.conv_branch2b1 = nn.Conv2d(
            quarter, half, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.bn_branch2b2 = build_norm_layer(norm_cfg, half)[1]
        self.dropout_2b2 = nn.Dropout2d(dropout)
        self.conv_branch2b2 = nn.Conv2d(half, width_out, 1, bias=False)
        self.conv_branch1 = nn.Conv2d(width_in, width_out, 1, stride, bias=False)

    def branch2(self, activated: Tensor) -> Tensor:
        x = self.conv_branch2a(activated)
        x = self.dropout_2b1(F.relu(self.bn_branch2b1(x)))
        x = self.conv_branch2b1(x)
        x = self.dropout_2b2(F.relu(self.bn_branch2b2(x)))
        return self.conv_branch2b2(x)


@MODELS.register_module()
class ResNet38(BaseModule):
    """ResNet38d: stem ``conv1a``, plain stages b2-b5, bottlenecks b6 and b7, ``bn7``.

    Every convolution is bias-free and preceded by batch norm and ReLU. The taps are the
    BN-ReLU'd *inputs* of blocks: conv3 enters b4 (stride 4), conv4 enters b5, conv5 enters b6 and
    conv6 is ReLU(bn7(b7)), all three at stride 8 (sizes are ceil(H/8), ceil(W/8)). Module names are
    those of the published implementations. Defaults give the CAM networks of PSA, SEAM and PPC:
    105.02 M convolution weights, batch norm at rest, ``conv1a`` and b2 frozen.

    Without a checkpoint it starts from Kaiming's initialisation; a network that is to learn from
    there needs ``norm_eval=False, train_bn_affine=True, frozen_stages=-1``.

    Args:
        in_channels: Channels of the picture.
        base_channels: Width of ``conv1a``; all other widths are multiples of it. 64 gives the
            published (64, 128, 256, 512, 1024, 2048, 4096).
        depths: Blocks of the stages b2, b3, b4, b5.
        strides: Of the first block of b2 to b7.
        dilations: Of b2 to b7. The first convolution of a plain stage keeps the dilation of the
            stage before.
        drop_ratios: Channel dropout of b6 and b7.
        out_indices: Which of (conv3, conv4, conv5, conv6) to return, ascending.
        frozen_stages: -1 trains all, 0 freezes ``conv1a``, k also the first k of b2 to b7.
        norm_eval: Every batch norm stays in eval mode, also in ``train()``.
        train_bn_affine: Whether scale and shift of the batch norms learn.
        norm_cfg: Norm layer. Published eps is 1e-5.
        with_cp: Recompute blocks in the backward pass to save memory.
        init_cfg: Initialisation; for a converted checkpoint
            ``dict(type='Pretrained', checkpoint=PATH, prefix='backbone.')``.

    Raises:
        ValueError: A count, width or index does not fit.
    """

    def __init__(
        self,
        in_channels: int = 3,
        base_channels: int = 64,
        depths: Sequence[int] = (3, 3, 6, 3),
        strides: Sequence[int] = (2, 2, 2, 1, 1, 1),
        dilations: Sequence[int] = (1, 1, 1, 2, 4, 4),
        drop_ratios: Sequence[float] = (0.3, 0.5),
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = 1,
        norm_eval: bool = True,
        train_bn_affine: bool = False,
        norm_cfg: dict | None = None,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        _check(base_channels, depths, strides, dilations, drop_ratios, out_indices, frozen_stages)
        super().__init__(init_cfg or _default_init())
        norm_cfg = norm_cfg or {'type': 'BN', 'eps': 1e-5}
        widths = [base_channels * 2**k for k in range(7)]
        self.conv1a = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
        self._stages: list[list[str]] = []
        for stage, depth in enumerate(depths):
            self._add_plain_stage(depth, widths, strides[stage], dilations, norm_cfg)
        for stage, ratio in zip((4, 5), drop_ratios):
            ends = (widths[stage], widths[stage + 1])
            block = BottleneckBlock(ends, strides[stage], dilations[stage], ratio, norm_cfg)
            self._stages.append([f'b{stage + 2}'])
            self.add_module(f'b{stage + 2}', block)
        self.bn7 = build_norm_layer(norm_cfg, widths[6])[1]

        self.out_indices = tuple(out_indices)
        self.out_channels = tuple((widths[2], *widths[3:5], widths[6])[i] for i in self.out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.train_bn_affine = train_bn_affine
        self.with_cp = with_cp
        self._rest()

    def init_weights(self) -> None:
        """As in mmengine, but a ``Pretrained`` checkpoint that does not fit is refused.

        Raises:
            FileNotFoundError: The checkpoint is missing.
            ValueError: It is of another network.
        """
        check_pretrained(self, _CONVERTER)
        super().init_weights()

    def _add_plain_stage(
        self, depth: int, widths: list[int], stride: int, dilations: Sequence[int], norm_cfg: dict
    ) -> None:
        """Append the next of b2 to b5: ``b{L}``, ``b{L}_1``, ..."""
        stage = len(self._stages)
        middle = widths[min(stage + 1, 3)]  # b5 widens its output only
        width_in, width_out = widths[stage], widths[stage + 1]
        dilation, before = dilations[stage], dilations[max(stage - 1, 0)]
        names = [f'b{stage + 2}']
        block = PlainBlock((width_in, middle, width_out), stride, (before, dilation), norm_cfg)
        self.add_module(names[0], block)
        for k in range(1, depth):
            names.append(f'b{stage + 2}_{k}')
            block = PlainBlock((width_out, middle, width_out), 1, (dilation, dilation), norm_cfg)
            self.add_module(names[-1], block)
        self._stages.append(names)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Pictures (N, in_channels, H, W) to the taps of ``out_indices``, low to high."""
        x = self.conv1a(x)
        taps = []
        for stage, names in enumerate(self._stages):
            for k, name in enumerate(names):
                x, activated = self._run(getattr(self, name), x)
                if k == 0 and stage in (2, 3, 4):  # inputs of b4, b5 and b6
                    taps.append(activated)
        taps.append(F.relu(self.bn7(x)))
        return tuple(taps[i] for i in self.out_indices)

    def _run(self, block: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.with_cp and x.requires_grad:
            return checkpoint(block, x, use_reentrant=False)
        return block(x)

    def _rest(self) -> None:
        """Freeze what ``frozen_stages``, ``norm_eval`` and ``train_bn_affine`` name."""
        if self.frozen_stages >= 0:
            freeze_modules([self.conv1a])
            for names in self._stages[: self.frozen_stages]:
                freeze_modules(getattr(self, name) for name in names)
        set_norm_mode(self, norm_eval=self.norm_eval, train_bn_affine=self.train_bn_affine)

    def train(self, mode: bool = True) -> 'ResNet38':
        """Like ``nn.Module.train``, but what is frozen stays so."""
        super().train(mode)
        if mode:
            self._rest()
        return self


def _default_init() -> list[dict]:
    return [
        {'type': 'Kaiming', 'layer': 'Conv2d'},
        {'type': 'Constant', 'val': 1, 'layer': ['_BatchNorm', 'GroupNorm']},
    ]


def _check(
    base_channels: int,
    depths: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    drop_ratios: Sequence[float],
    out_indices: Sequence[int],
    frozen_stages: int,
) -> None:
    if base_channels < 1:
        raise ValueError(f'base_channels must be at least 1, found {base_channels}')
    for name, values, count in (
        ('depths', depths, 4),
        ('strides', strides, 6),
        ('dilations', dilations, 6),
        ('drop_ratios', drop_ratios, 2),
    ):
        if len(values) != count:
            raise ValueError(f'{name} must have {count} values, found {tuple(values)}')
    if min(depths) < 1:
        raise ValueError(f'depths must be at least 1, found {tuple(depths)}')
    if list(out_indices) != sorted(set(out_indices) & set(range(len(_TAPS)))) or not out_indices:
        raise ValueError(
            f'out_indices must be ascending indices of {_TAPS}, found {tuple(out_indices)}'
        )
    if not -1 <= frozen_stages <= 6:
        raise ValueError(f'frozen_stages must be within -1 and 6, found {frozen_stages}')
