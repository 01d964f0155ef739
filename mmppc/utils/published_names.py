"""Names of the published networks' parameters, and ours."""

import re
from collections.abc import Iterable

from mmppc.utils.published_deeplab import resnet101_name

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

NETWORK_LAYERS = {
    'backbone': {},
    'SEAM': {name: LAYERS[name] for name in ('fc8', 'f8_3', 'f8_4', 'f9')},
    'PPC on SEAM': {name: LAYERS[name] for name in ('fc8', 'fc_proj', 'f8_3', 'f8_4', 'f9')},
    'CAM': {'fc8': LAYERS['fc8']},
    'EPS': {'fc8': LAYERS['fc8']},
    'PPC on EPS': {name: LAYERS[name] for name in ('fc8', 'proj_fc', 'f8_3', 'f8_4', 'f9')},
    'AffinityNet': AFFINITY_LAYERS,
    'ResNet101': {},
}
"""The layers of each network beside its backbone, and where they are here."""

NETWORKS = (*NETWORK_LAYERS, 'IRN')
"""Networks that are recognised, besides DeepLab."""

COUNTER = 'num_batches_tracked'

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
    layers = NETWORK_LAYERS[network]
    if layer in layers:
        return f'{layers[layer]}.{leaf}'
    return f'backbone.{backbone_name(name, network)}'


def backbone_name(name: str, network: str) -> str:
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


def first_name(name: str) -> str:
    """IRN's name of a parameter by which it is known here.

    >>> first_name('backbone.3.0.2.bn1.weight'), first_name('dp_layers.6.4.running_mean')
    ('resnet50.layer3.2.bn1.weight', 'mean_shift.running_mean')
    """
    name = re.sub(r'^backbone\.(\d)\.', lambda found: f'stage{int(found[1]) + 1}.', name)
    for pattern, first in _BOUNDARY_ALIASES:
        name = re.sub(f'^{pattern}', first, name)
    return BOUNDARY_MEAN if name == 'fc_dp7.4.running_mean' else name


def is_boundary(published: Iterable[str]) -> bool:
    return any(first_name(name).startswith(('resnet50.', 'fc_edge', 'fc_dp')) for name in published)
