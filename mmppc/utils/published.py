"""Weights of the published ResNet38 networks under the names of this package."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmppc.models.backbones.resnet38 import ResNet38
from mmppc.utils.checkpoint import load_checkpoint
from mmppc.utils.mxnet_params import is_mxnet_params, read_mxnet_params

LAYERS = {
    'fc8': 'decode_head.conv_seg',
    'fc_proj': 'neck.conv',
    'f8_3': 'decode_head.refine.proj0',
    'f8_4': 'decode_head.refine.proj1',
    'f9': 'decode_head.refine.fuse',
}
"""New layers of SEAM and PPC, and where they are here."""

_KINDS = {
    'backbone': (),
    'SEAM': ('fc8', 'f8_3', 'f8_4', 'f9'),
    'PPC on SEAM': ('fc8', 'f8_3', 'f8_4', 'f9', 'fc_proj'),
}
_MXNET_BLOCK = re.compile(r'(arg:res|arg:bn|aux:bn)(\d)(?:a|b(\d+))_(branch(?:1|2a|2b1|2b2))_(\w+)')
_MXNET_LEAVES = {
    'arg:res': {'weight': 'weight'},
    'arg:bn': {'gamma': 'weight', 'beta': 'bias'},
    'aux:bn': {'moving_mean': 'running_mean', 'moving_var': 'running_var'},
}
_COUNTER = 'num_batches_tracked'


class UnknownWeightsError(ValueError):
    """A file whose names or shapes are not those of a published network we know."""


def convert_published(path: str | os.PathLike) -> dict[str, Any]:
    """Read a published file and give its weights our names.

    The kind of file is recognised by its content: ImageNet weights of ResNet38 as mxnet's
    ``.params`` (their classifier ``linear1000`` is dropped), or a PyTorch state dict of that
    backbone, of SEAM or of PPC on SEAM, also wrapped in ``state_dict`` or with ``module.`` before
    its names.

    Returns:
        ``state_dict`` with float32 tensors named ``backbone.*``, ``decode_head.*`` and ``neck.*``;
        ``meta`` with ``source`` (file name), ``format`` (``mxnet`` or ``torch``) and ``network``
        (``backbone``, ``SEAM`` or ``PPC on SEAM``).

    Raises:
        FileNotFoundError: There is no such file.
        UnknownWeightsError: Something is missing, left over or of another shape; the message lists
            it. Only ``num_batches_tracked`` may be missing.
        ValueError: The file cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'weights not found: {path}')
    if is_mxnet_params(path):
        published, foreign = from_mxnet(read_mxnet_params(path))
        source_format = 'mxnet'
    else:
        published, foreign = _from_torch(load_checkpoint(path))
        source_format = 'torch'
    network = check_published(published, foreign, str(path))
    return {
        'state_dict': {our_name(name): value for name, value in published.items()},
        'meta': {'source': path.name, 'format': source_format, 'network': network},
    }


def our_name(name: str) -> str:
    """Our name of a published parameter or statistic.

    >>> our_name('b4_1.conv_branch2a.weight'), our_name('f8_3.weight')
    ('backbone.b4_1.conv_branch2a.weight', 'decode_head.refine.proj0.weight')
    """
    layer, _, leaf = name.partition('.')
    return f'{LAYERS[layer]}.{leaf}' if layer in LAYERS else f'backbone.{name}'


def mxnet_name(name: str) -> str | None:
    """The published PyTorch name of an mxnet array of ResNet38 A1, None if it is not of the backbone.

    >>> mxnet_name('aux:bn4b5_branch2b1_moving_var')
    'b4_5.bn_branch2b1.running_var'
    >>> mxnet_name('arg:res2a_branch1_weight')
    'b2.conv_branch1.weight'
    """
    if name == 'arg:conv1a_weight':
        return 'conv1a.weight'
    if re.fullmatch(r'(arg|aux):bn7_\w+', name):
        group, leaf = name.split('7_', 1)
        found = _MXNET_LEAVES[group].get(leaf)
        return f'bn7.{found}' if found else None
    match = _MXNET_BLOCK.fullmatch(name)
    if match is None:
        return None
    group, level, number, branch, leaf = match.groups()
    if leaf not in _MXNET_LEAVES[group]:
        return None
    block = f'b{level}' + (f'_{number}' if number else '')
    layer = 'conv' if group.endswith('res') else 'bn'
    return f'{block}.{layer}_{branch}.{_MXNET_LEAVES[group][leaf]}'


def from_mxnet(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Tensor], list[str]]:
    """Arrays of a ``.params`` file under published names, and the names that are not the backbone's."""
    published, foreign = {}, []
    for name, array in arrays.items():
        ours = mxnet_name(name)
        if ours is not None:
            published[ours] = torch.from_numpy(array).float()
        elif not name.startswith('arg:linear1000_'):
            foreign.append(name)
    return published, foreign


def _from_torch(checkpoint: Mapping[str, Any]) -> tuple[dict[str, Tensor], list[str]]:
    state = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, Mapping):
        return {}, [f'state_dict ({type(state).__name__})']
    tensors, foreign = {}, []
    for key, value in state.items():
        name = str(key).removeprefix('module.')
        if not isinstance(value, Tensor):
            foreign.append(f'{name} ({type(value).__name__})')
        else:
            tensors[name] = value if name.endswith(_COUNTER) else value.float()
    return tensors, foreign


def check_published(
    published: Mapping[str, Tensor], foreign: Iterable[str] = (), source: str = 'weights'
) -> str:
    """Name the network that the published names and shapes make up.

    Args:
        published: Tensors by published name.
        foreign: Further names found, which have no place.
        source: The file's name in messages.

    Returns:
        ``backbone``, ``SEAM`` or ``PPC on SEAM``.

    Raises:
        UnknownWeightsError: They are not exactly those of one of the three.
    """
    layers = {name.partition('.')[0] for name in published} & LAYERS.keys()
    network = 'PPC on SEAM' if 'fc_proj' in layers else 'SEAM' if layers else 'backbone'
    expected = _expected_shapes(published, network)
    required = [name for name in expected if not name.endswith(_COUNTER)]
    shapes = {name: tuple(value.shape) for name, value in published.items()}
    problems = {
        'missing': [name for name in required if name not in shapes],
        'unexpected': [*foreign, *(name for name in shapes if name not in expected)],
        'of another shape': [
            f'{name} {shape}, expected {expected[name]}'
            for name, shape in shapes.items()
            if name in expected and shape != expected[name]
        ],
    }
    if any(problems.values()):
        lines = [f'{len(v)} {kind}: {_some(v)}' for kind, v in problems.items() if v]
        raise UnknownWeightsError(
            f'{source}: not the published ResNet38 network ({network}) it resembles most, which '
            f'has {len(required)} parameters and statistics:\n  ' + '\n  '.join(lines)
        )
    return network


def _expected_shapes(published: Mapping[str, Tensor], network: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of ``network``; what is free to choose (widths, classes) is read off."""

    def outputs(layer: str, default: int) -> int:
        weight = published.get(f'{layer}.weight')
        return len(weight) if weight is not None and weight.ndim == 4 else default

    width = outputs('conv1a', 64)
    with torch.device('meta'):
        backbone = ResNet38(base_channels=max(width, 1))
    shapes = {name: tuple(value.shape) for name, value in backbone.state_dict().items()}
    inputs = {
        'fc8': 64 * width,
        'fc_proj': 64 * width,
        'f8_3': 8 * width,
        'f8_4': 16 * width,
        'f9': 3 + outputs('f8_3', width) + outputs('f8_4', 2 * width),
    }
    defaults = {'fc8': 21, 'fc_proj': 128, 'f8_3': width, 'f8_4': 2 * width, 'f9': 192}
    for layer in _KINDS[network]:
        shapes[f'{layer}.weight'] = (outputs(layer, defaults[layer]), inputs[layer], 1, 1)
    return shapes


def _some(names: list[str], limit: int = 12) -> str:
    more = f', ... ({len(names) - limit} more)' if len(names) > limit else ''
    return ', '.join(names[:limit]) + more
