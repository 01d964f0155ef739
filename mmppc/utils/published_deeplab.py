"""Names of the published retraining stage: its ResNet101, and DeepLab checkpoints as far as their names are known."""

from collections.abc import Mapping
from functools import lru_cache

import torch
from mmseg.models.backbones import ResNetV1c
from torch import Tensor

from mmppc.models.heads.concat_aspp_head import ConcatASPPHead
from mmppc.models.heads.largefov_head import LargeFOVHead

HEAD_LAYERS = {
    'DeepLab-LargeFOV': ('fov.conv', 'fov.bn', 'mix.conv', 'mix.bn', 'conv_seg'),
    'DeepLab-ASPP': (
        *(f'branches.{k}.{part}' for k in range(4) for part in ('conv', 'bn')),
        'global_branch.conv',
        'global_branch.bn',
        'mix.conv',
        'mix.bn',
        'conv_seg',
    ),
}
"""Layers of ``LargeFOVHead`` and of ``ConcatASPPHead``, which a published head has under names of its own."""

# By these a backbone is found behind any prefix.
_FIRST = {'backbone': 'conv1a.weight', 'ResNet101': 'conv1.0.weight'}


def resnet101_name(name: str) -> str:
    """mmseg's name of a parameter of the published ResNet101, whose deep stem is a list ``conv1`` and ``bn1``.

    >>> resnet101_name('conv1.3.weight'), resnet101_name('bn1.bias'), resnet101_name('layer1.0.bn1.bias')
    ('stem.3.weight', 'stem.7.bias', 'layer1.0.bn1.bias')
    """
    layer, _, leaf = name.partition('.')
    if layer == 'bn1':
        return f'stem.7.{leaf}'
    return f'stem.{leaf}' if layer == 'conv1' else name


@lru_cache(maxsize=4)
def resnet101_shapes(stem_channels: int, base_channels: int) -> dict[str, tuple[int, ...]]:
    """Shapes by published name of the ResNet101 with a deep stem, without its classifier."""
    with torch.device('meta'):
        net = ResNetV1c(depth=101, stem_channels=stem_channels, base_channels=base_channels)
    stem = {'stem.7': 'bn1', **{f'stem.{k}': f'conv1.{k}' for k in (0, 1, 3, 4, 6)}}
    shapes = {}
    for ours, value in net.state_dict().items():
        layer, leaf = ours.rsplit('.', 1)
        shapes[f'{stem.get(layer, layer)}.{leaf}'] = tuple(value.shape)
    return shapes


def find_backbone(names: Mapping[str, Tensor]) -> tuple[str, str] | None:
    """Which backbone a whole network holds below a prefix, as in a DeepLab checkpoint.

    Returns:
        ``backbone`` (ResNet38) or ``ResNet101``, and the prefix with its dot; None if there is none,
        or it has no prefix.
    """
    for backbone, first in _FIRST.items():
        for name in names:
            prefix = name[: -len(first)]
            if name.endswith(first) and prefix.endswith('.'):
                return backbone, prefix
    return None


def head_name(name: str, layers: Mapping[str, str]) -> str | None:
    """Our name, below the head, of a published parameter; None if ``layers`` says nothing of it.

    Args:
        name: Published name.
        layers: Published layers and ours, as of :data:`HEAD_LAYERS`.

    >>> head_name('fov.weight', {'fov': 'fov.conv'}), head_name('fov2.weight', {'fov': 'fov.conv'})
    ('fov.conv.weight', None)
    """
    layer, _, leaf = name.rpartition('.')
    return f'{layers[layer]}.{leaf}' if layer in layers else None


def head_shapes(kind: str, inputs: int, found: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Shapes by our name of the head ``kind``; its width and classes are read off ``found``."""

    def outputs(layer: str, default: int) -> int:
        weight = found.get(f'{layer}.weight')
        return len(weight) if weight is not None and weight.ndim == 4 else default

    build = LargeFOVHead if kind == 'DeepLab-LargeFOV' else ConcatASPPHead
    width = outputs('mix.conv', 512 if build is LargeFOVHead else 256)
    with torch.device('meta'):
        # At least three classes: mmseg advises against two outputs, at length.
        head = build(inputs, width, num_classes=max(outputs('conv_seg', 21), 3))
    return {name: tuple(value.shape) for name, value in head.state_dict().items()}
