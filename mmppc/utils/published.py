"""Weights of the published networks (backbones, CAM, SEAM, EPS, PPC, AffinityNet, IRN, DeepLab) under the names of
this package."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmppc.utils.checkpoint import load_checkpoint
from mmppc.utils.mxnet_params import is_mxnet_params, read_mxnet_params
from mmppc.utils.published_check import UnknownWeightsError, check_published, listed, misfits
from mmppc.utils.published_deeplab import HEAD_LAYERS, find_backbone, head_name, head_shapes
from mmppc.utils.published_names import (
    COUNTER,
    NETWORKS,
    backbone_name,
    first_name,
    is_boundary,
    mxnet_name,
    our_name,
)


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
    if is_boundary(published):
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
    state = {f'backbone.{backbone_name(name, network)}': value for name, value in inner.items()}

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
        'missing': [n for n in expected if n not in head and not n.endswith(COUNTER)],
        'of unknown place': [
            f'{name} {tuple(outer[name].shape)}' for name, ours in renamed.items() if ours is None
        ],
        **misfits(head, expected),
    }
    if any(problems.values()):
        raise UnknownWeightsError(
            f'{source}: a {_title(network)} below {prefix!r}, and a head of {convolutions} '
            'convolutions, the names of whose layers are not known; say for each which of '
            f"{kind}'s it is: {', '.join(HEAD_LAYERS[kind])}\n  "
            + '\n  '.join(listed(problems, limit=40))
        )
    state.update({f'decode_head.{name}': value for name, value in head.items()})
    return state, f'{kind} on {_title(network)}'


def _title(network: str) -> str:
    return 'ResNet38' if network == 'backbone' else network


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
            tensors[name] = value if name.endswith(COUNTER) else value.float()
    return tensors, foreign


def _without_duplicates(published: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """IRN's tensors once each under their first names, and what differs from its duplicate.

    The classifier of the ImageNet weights, if it is there, is left out as in mxnet's.
    """
    unique: dict[str, Tensor] = {}
    differing = []
    for name, value in published.items():
        first = first_name(name)
        if first in ('resnet50.fc.weight', 'resnet50.fc.bias'):
            continue
        if first in unique and not torch.equal(unique[first], value):
            differing.append(f'{name}, unlike {first}')
        unique.setdefault(first, value)
    return unique, differing
