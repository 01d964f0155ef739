"""Whether weights are exactly those of a published network, by names and shapes."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

import torch
from torch import Tensor, nn

from mmppc.models.backbones.resnet38 import ResNet38
from mmppc.models.backbones.stem_resnet import StemResNet
from mmppc.models.heads.boundary_head import BoundaryHead
from mmppc.utils.published_deeplab import resnet101_shapes
from mmppc.utils.published_names import (
    BOUNDARY_LAYERS,
    BOUNDARY_MEAN,
    COUNTER,
    NETWORK_LAYERS,
    is_boundary,
)

# Plain CAM and EPS differ in the number of outputs only; of VOC and COCO it is known.
_CAM_OUTPUTS, _EPS_OUTPUTS = (20, 80), (21, 81)


class UnknownWeightsError(ValueError):
    """A file whose names or shapes are not those of a published network we know."""


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
        networks = ('IRN',) if is_boundary(published) else tuple(NETWORK_LAYERS)
    found = {name: _problems(published, foreign, name) for name in networks}
    best = min(found, key=lambda name: sum(map(len, found[name].values())))
    if any(found[best].values()):
        raise UnknownWeightsError(
            f'{source}: not the published network ({best}) it resembles most, which has '
            f'{len(_required(published, best))} parameters and statistics:\n  '
            + '\n  '.join(listed(found[best]))
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
        **misfits(published, expected),
    }


def misfits(
    found: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]
) -> dict[str, list[str]]:
    return {
        'of another shape': [
            f'{name} {tuple(value.shape)}, expected {expected[name]}'
            for name, value in found.items()
            if name in expected and tuple(value.shape) != expected[name]
        ]
    }


def listed(problems: Mapping[str, list[str]], limit: int = 12) -> list[str]:
    """A line for each kind of problem there is."""
    return [
        f'{len(names)} {kind}: {_some(names, limit)}' for kind, names in problems.items() if names
    ]


def _required(published: Mapping[str, Tensor], network: str) -> list[str]:
    return [name for name in _expected_shapes(published, network) if not name.endswith(COUNTER)]


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
    for layer in NETWORK_LAYERS[network]:
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
