"""Weights of the published networks (backbones, CAM, SEAM, EPS, PPC, AffinityNet, IRN, DeepLab) under the names of
this package."""

import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmppc.models.backbones.resnet38 import ResNet38
from mmppc.models.backbones.stem_resnet import StemResNet
from mmppc.models.heads.boundary_head import BoundaryHead
from mmppc.utils.checkpoint import load_checkpoint
from mmppc.utils.mxnet_params import is_mxnet_params, read_mxnet_params
from mmppc.utils.published_deeplab import (
    HEAD_LAYERS,
    find_backbone,
    head_name,
    head_shapes,
    resnet101_name,
    resnet101_shapes,
)

LAYERS = {
    'fc8': 'decode_head.conv_seg',
    'fc_proj': 'neck.conv',
    'proj_fc': 'neck.conv',
    'f8_3': 'decode_head.refine.proj0',
    'f8_4': 'decode_head.refine.proj1',
    'f9': 'decode_head.refine.fuse',
}
"""New layers of the CAM networks, and where they are here. The projector has another name on EPS."""

AFFINITY_LAYERS = {
    'f8_3': 'decode_head.proj0',
    'f8_4': 'decode_head.proj1',
    'f8_5': 'decode_head.proj2',
    'f9': 'decode_head.fuse',
}
"""New layers of AffinityNet."""

BOUNDARY_LAYERS = {
    'resnet50': 'backbone',
    **{f'fc_edge{k + 1}.0': f'decode_head.edge_levels.{k}.conv' for k in range(5)},
    **{f'fc_edge{k + 1}.1': f'decode_head.edge_levels.{k}.norm' for k in range(5)},
    'fc_edge6': 'decode_head.edge_out',
    **{f'fc_dp{k + 1}.0': f'decode_head.displacement_levels.{k}.conv' for k in range(5)},
    **{f'fc_dp{k + 1}.1': f'decode_head.displacement_levels.{k}.norm' for k in range(5)},
    'fc_dp6.0': 'decode_head.displacement_coarse.conv',
    'fc_dp6.1': 'decode_head.displacement_coarse.norm',
    'fc_dp7.0': 'decode_head.displacement_fuse.conv',
    'fc_dp7.1': 'decode_head.displacement_fuse.norm',
    'fc_dp7.3': 'decode_head.displacement_out',
}
"""Modules of IRN's boundary network. Its mean shift is the buffer ``mean_shift.running_mean``."""

BOUNDARY_MEAN = 'mean_shift.running_mean'

_LAYERS = {
    'backbone': {},
    'SEAM': {name: LAYERS[name] for name in ('fc8', 'f8_3', 'f8_4', 'f9')},
    'PPC on SEAM': {name: LAYERS[name] for name in ('fc8', 'fc_proj', 'f8_3', 'f8_4', 'f9')},
    'CAM': {'fc8': LAYERS['fc8']},
    'EPS': {'fc8': LAYERS['fc8']},
    'PPC on EPS': {name: LAYERS[name] for name in ('fc8', 'proj_fc', 'f8_3', 'f8_4', 'f9')},
    'AffinityNet': AFFINITY_LAYERS,
    'ResNet101': {},
}
NETWORKS = (*_LAYERS, 'IRN')
"""Networks that are recognised, besides DeepLab."""

# Plain CAM and EPS differ in the number of outputs only; of VOC and COCO it is known.
_CAM_OUTPUTS, _EPS_OUTPUTS = (20, 80), (21, 81)
# IRN registers its modules by name, again in stages and again in lists, whose places count from 0.
_BOUNDARY_ALIASES = (
    (r'stage1\.0\.', 'resnet50.conv1.'),
    (r'stage1\.1\.', 'resnet50.bn1.'),
    (r'stage([2-5])\.0\.', lambda found: f'resnet50.layer{int(found[1]) - 1}.'),
    (r'edge_layers\.(\d)\.', lambda found: f'fc_edge{int(found[1]) + 1}.'),
    (r'dp_layers\.(\d)\.', lambda found: f'fc_dp{int(found[1]) + 1}.'),
)
_MXNET_BLOCK = re.compile(r'(arg:res|arg:bn|aux:bn)(\d)(?:a|b(\d+))_(branch(?:1|2a|2b1|2b2))_(\w+)')
_MXNET_LEAVES = {
    'arg:res': {'weight': 'weight'},
    'arg:bn': {'gamma': 'weight', 'beta': 'bias'},
    'aux:bn': {'moving_mean': 'running_mean', 'moving_var': 'running_var'},
}
_COUNTER = 'num_batches_tracked'


class UnknownWeightsError(ValueError):
    """A file whose names or shapes are not those of a published network we know."""


def convert_published(
    path: str | os.PathLike,
    network: str | None = None,
    head_layers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Read a published file and give its weights our names.

    The kind of file is recognised by its content: ImageNet weights of ResNet38 as mxnet's
    ``.params`` (their classifier ``linear1000`` is dropped), or a PyTorch state dict of that
    backbone, of plain CAM, SEAM, EPS, PPC on either, AffinityNet, IRN's boundary network, or of the
    deep-stem ResNet101 of the retraining stage (its classifier ``fc`` is dropped), also wrapped in
    ``state_dict`` or with ``module.`` before its names. What IRN's file holds several times is taken
    once. Classifiers get the background as channel 0: EPS's, which have it last, are reordered; plain
    CAM's have none, and get zeros (channel 0 is neither trained nor read there).

    A DeepLab checkpoint is a backbone of these below a prefix and a head. How the published code
    calls the layers of the head is not known here: the file is refused with a list of their names and
    shapes, until ``head_layers`` says which is which.

    Args:
        path: The file.
        network: One of :data:`NETWORKS`, if the content leaves it open: plain CAM and EPS differ in
            the number of outputs only, which is known for VOC and COCO.
        head_layers: Of a DeepLab checkpoint: published layers of the head, and ours, as of
            :data:`~mmppc.utils.published_deeplab.HEAD_LAYERS`.

    Returns:
        ``state_dict`` with float32 tensors named ``backbone.*``, ``decode_head.*`` and ``neck.*``;
        ``meta`` with ``source`` (file name), ``format`` (``mxnet`` or ``torch``) and ``network``
        (one of :data:`NETWORKS`, or e.g. ``DeepLab-ASPP on ResNet101``).

    Raises:
        FileNotFoundError: There is no such file.
        UnknownWeightsError: Something is missing, left over or of another shape; the message lists
            it. Only ``num_batches_tracked`` may be missing.
        ValueError: The file cannot be read, or there is no such ``network``.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'weights not found: {path}')
    if network is not None and network not in NETWORKS:
        raise ValueError(f'network {network!r}, expected one of {", ".join(NETWORKS)}')
    if is_mxnet_params(path):
        published, foreign = from_mxnet(read_mxnet_params(path))
        source_format = 'mxnet'
    else:
        published, foreign = _from_torch(load_checkpoint(path))
        source_format = 'torch'
    if _is_boundary(published):
        published, differing = _without_duplicates(published)
        foreign += differing
    if network is None and find_backbone(published) is not None:
        state, network = _deeplab(published, foreign, head_layers or {}, str(path))
    else:
        if 'conv1.0.weight' in published:
            published = {n: v for n, v in published.items() if n not in ('fc.weight', 'fc.bias')}
        network = check_published(published, foreign, str(path), network)
        state = {
            our_name(name, network): _background_first(value, network)
            if name == 'fc8.weight'
            else value
            for name, value in published.items()
        }
    meta = {'source': path.name, 'format': source_format, 'network': network}
    return {'state_dict': state, 'meta': meta}


def _background_first(weight: Tensor, network: str) -> Tensor:
    """The classifier with the background as channel 0."""
    if network == 'CAM':
        return torch.cat([torch.zeros_like(weight[:1]), weight])
    return weight.roll(1, 0) if network in ('EPS', 'PPC on EPS') else weight


def _deeplab(
    published: Mapping[str, Tensor], foreign: list[str], layers: Mapping[str, str], source: str
) -> tuple[dict[str, Tensor], str]:
    """A DeepLab checkpoint under our names, and what it is."""
    found = find_backbone(published)
    assert found is not None
    network, prefix = found
    inner = {n[len(prefix) :]: v for n, v in published.items() if n.startswith(prefix)}
    outer = {name: value for name, value in published.items() if not name.startswith(prefix)}
    if network == 'ResNet101':
        inner = {n: v for n, v in inner.items() if n not in ('fc.weight', 'fc.bias')}
    check_published(inner, foreign, f'{source}, below {prefix!r}', network)
    last = inner['bn7.weight' if network == 'backbone' else 'layer4.0.conv3.weight']
    state = {f'backbone.{_backbone_name(name, network)}': value for name, value in inner.items()}

    convolutions = sum(value.ndim == 4 for value in outer.values())
    kind = 'DeepLab-LargeFOV' if convolutions == 3 else 'DeepLab-ASPP'
    unknown = sorted({ours for ours in layers.values() if ours not in HEAD_LAYERS[kind]})
    if unknown:
        raise ValueError(
            f'layers of the head: found {", ".join(unknown)}, expected those of {kind}: '
            f'{", ".join(HEAD_LAYERS[kind])}'
        )
    renamed = {name: head_name(name, layers) for name in outer}
    head = {ours: outer[name] for name, ours in renamed.items() if ours is not None}
    expected = head_shapes(kind, len(last), head)
    problems = {
        'missing': [n for n in expected if n not in head and not n.endswith(_COUNTER)],
        'of unknown place': [
            f'{name} {tuple(outer[name].shape)}' for name, ours in renamed.items() if ours is None
        ],
        **_misfits(head, expected),
    }
    if any(problems.values()):
        raise UnknownWeightsError(
            f'{source}: a {_title(network)} below {prefix!r}, and a head of {convolutions} '
            'convolutions, the names of whose layers are not known; say for each which of '
            f"{kind}'s it is: {', '.join(HEAD_LAYERS[kind])}\n  "
            + '\n  '.join(_listed(problems, limit=40))
        )
    state.update({f'decode_head.{name}': value for name, value in head.items()})
    return state, f'{kind} on {_title(network)}'


def _title(network: str) -> str:
    return 'ResNet38' if network == 'backbone' else network


def our_name(name: str, network: str = 'PPC on SEAM') -> str:
    """Our name of a published parameter or statistic of ``network``.

    >>> our_name('b4_1.conv_branch2a.weight'), our_name('f8_3.weight')
    ('backbone.b4_1.conv_branch2a.weight', 'decode_head.refine.proj0.weight')
    >>> our_name('f8_3.weight', 'AffinityNet'), our_name('fc_edge3.1.bias', 'IRN')
    ('decode_head.proj0.weight', 'decode_head.edge_levels.2.norm.bias')
    """
    if network == 'IRN':
        if name == BOUNDARY_MEAN:
            return 'decode_head.displacement_mean'
        layer = next(layer for layer in BOUNDARY_LAYERS if name.startswith(f'{layer}.'))
        return BOUNDARY_LAYERS[layer] + name[len(layer) :]
    layer, _, leaf = name.partition('.')
    layers = _LAYERS[network]
    if layer in layers:
        return f'{layers[layer]}.{leaf}'
    return f'backbone.{_backbone_name(name, network)}'


def _backbone_name(name: str, network: str) -> str:
    return resnet101_name(name) if network == 'ResNet101' else name


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


def _is_boundary(published: Iterable[str]) -> bool:
    return any(
        _first_name(name).startswith(('resnet50.', 'fc_edge', 'fc_dp')) for name in published
    )


def _without_duplicates(published: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """IRN's tensors once each under their first names, and what differs from its duplicate.

    The classifier of the ImageNet weights, if it is there, is left out as in mxnet's.
    """
    unique: dict[str, Tensor] = {}
    differing = []
    for name, value in published.items():
        first = _first_name(name)
        if first in ('resnet50.fc.weight', 'resnet50.fc.bias'):
            continue
        if first in unique and not torch.equal(unique[first], value):
            differing.append(f'{name}, unlike {first}')
        unique.setdefault(first, value)
    return unique, differing


def _first_name(name: str) -> str:
    """IRN's name of a parameter by which it is known here.

    >>> _first_name('backbone.3.0.2.bn1.weight'), _first_name('dp_layers.6.4.running_mean')
    ('resnet50.layer3.2.bn1.weight', 'mean_shift.running_mean')
    """
    name = re.sub(r'^backbone\.(\d)\.', lambda found: f'stage{int(found[1]) + 1}.', name)
    for pattern, first in _BOUNDARY_ALIASES:
        name = re.sub(f'^{pattern}', first, name)
    return BOUNDARY_MEAN if name == 'fc_dp7.4.running_mean' else name


def check_published(
    published: Mapping[str, Tensor],
    foreign: Iterable[str] = (),
    source: str = 'weights',
    network: str | None = None,
) -> str:
    """Name the network that the published names and shapes make up.

    Args:
        published: Tensors by published name, each once.
        foreign: Further names found, which have no place.
        source: The file's name in messages.
        network: Only this one is tried.

    Returns:
        One of :data:`NETWORKS`.

    Raises:
        UnknownWeightsError: They are not exactly those of one of these, or may be of two.
    """
    if network is not None:
        networks: tuple[str, ...] = (network,)
    else:
        networks = ('IRN',) if _is_boundary(published) else tuple(_LAYERS)
    found = {name: _problems(published, foreign, name) for name in networks}
    best = min(found, key=lambda name: sum(map(len, found[name].values())))
    if any(found[best].values()):
        raise UnknownWeightsError(
            f'{source}: not the published network ({best}) it resembles most, which has '
            f'{len(_required(published, best))} parameters and statistics:\n  '
            + '\n  '.join(_listed(found[best]))
        )
    return _by_outputs(published, source) if best in ('CAM', 'EPS') and not network else best


def _by_outputs(published: Mapping[str, Tensor], source: str) -> str:
    """Whether a classifier on the backbone is plain CAM's or EPS's, which has the background too."""
    outputs = len(published['fc8.weight'])
    if outputs not in _CAM_OUTPUTS + _EPS_OUTPUTS:
        raise UnknownWeightsError(
            f'{source}: a classifier of {outputs} outputs may be that of CAM (foreground only) or of '
            'EPS (background last); name the network'
        )
    return 'CAM' if outputs in _CAM_OUTPUTS else 'EPS'


def _problems(
    published: Mapping[str, Tensor], foreign: Iterable[str], network: str
) -> dict[str, list[str]]:
    """What keeps the tensors from being those of ``network``."""
    expected = _expected_shapes(published, network)
    return {
        'missing': [name for name in _required(published, network) if name not in published],
        'unexpected': [*foreign, *(name for name in published if name not in expected)],
        **_misfits(published, expected),
    }


def _misfits(
    found: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]
) -> dict[str, list[str]]:
    return {
        'of another shape': [
            f'{name} {tuple(value.shape)}, expected {expected[name]}'
            for name, value in found.items()
            if name in expected and tuple(value.shape) != expected[name]
        ]
    }


def _listed(problems: Mapping[str, list[str]], limit: int = 12) -> list[str]:
    """A line for each kind of problem there is."""
    return [
        f'{len(names)} {kind}: {_some(names, limit)}' for kind, names in problems.items() if names
    ]


def _required(published: Mapping[str, Tensor], network: str) -> list[str]:
    return [name for name in _expected_shapes(published, network) if not name.endswith(_COUNTER)]


def _expected_shapes(published: Mapping[str, Tensor], network: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of ``network``; what is free to choose (widths, classes) is read off."""

    def outputs(layer: str, default: int) -> int:
        weight = published.get(f'{layer}.weight')
        return len(weight) if weight is not None and weight.ndim == 4 else default

    if network == 'IRN':
        return _boundary_shapes(max(outputs('resnet50.conv1', 64), 1))
    if network == 'ResNet101':
        stem, base = outputs('conv1.6', 128), outputs('layer1.0.conv1', 64)
        return resnet101_shapes(max(stem, 2), max(base, 1))
    width = max(outputs('conv1a', 64), 1)
    shapes = dict(_backbone_shapes(width))
    affine = network == 'AffinityNet'
    joined = outputs('f8_3', width) + outputs('f8_4', 2 * width)
    joined += outputs('f8_5', 4 * width) if affine else 3
    layers = {
        'fc8': (21, 64 * width),
        'fc_proj': (128, 64 * width),
        'proj_fc': (128, 64 * width),
        'f8_3': (width, 8 * width),
        'f8_4': (2 * width, 16 * width),
        'f8_5': (4 * width, 64 * width),
        'f9': (joined if affine else 192, joined),
    }
    for layer in _LAYERS[network]:
        default, inputs = layers[layer]
        shapes[f'{layer}.weight'] = (outputs(layer, default), inputs, 1, 1)
    return shapes


@lru_cache(maxsize=4)
def _backbone_shapes(width: int) -> dict[str, tuple[int, ...]]:
    with torch.device('meta'):
        backbone = ResNet38(base_channels=width)
    return {name: tuple(value.shape) for name, value in backbone.state_dict().items()}


@lru_cache(maxsize=4)
def _boundary_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """IRN's names and shapes, from our modules' by the map of names read backwards."""
    with torch.device('meta'):
        backbone = StemResNet(depth=50, stem_channels=width, base_channels=width)
        head = BoundaryHead(in_channels=(width, *(4 * width * 2**k for k in range(4))))
    parts: dict[str, nn.Module] = {'backbone': backbone, 'decode_head': head}
    shapes = {}
    for part, module in parts.items():
        for leaf, value in module.state_dict().items():
            ours = f'{part}.{leaf}'
            names = [
                published + ours[len(layer) :]
                for published, layer in BOUNDARY_LAYERS.items()
                if ours.startswith(f'{layer}.')
            ]
            shapes[names[0] if names else BOUNDARY_MEAN] = tuple(value.shape)
    return shapes


def _some(names: list[str], limit: int = 12) -> str:
    more = f', ... ({len(names) - limit} more)' if len(names) > limit else ''
    return ', '.join(names[:limit]) + more
