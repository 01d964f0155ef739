"""The whole published networks (PPC, AffinityNet, IRN): parameters by their published names, through the converter."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS
from torch import nn

from mmppc.functional.affinity import feature_affinity, neighbour_offsets, pair_mask
from mmppc.models.views import resize_maps
from mmppc.utils.published import convert_published

from ..data import recipe
from ..reference.published_names import (
    affinity_shapes,
    boundary_aliases,
    boundary_shapes,
    ppc_shapes,
)

DATA = Path(__file__).parents[1] / 'data'
GOLDEN = DATA / 'ppc_network.npz'
GOLDEN_AFFINITY = DATA / 'affinity_networks.npz'
MODEL = {
    'type': 'CAMSegmentor',
    'backbone': {'type': 'ResNet38'},
    'neck': {'type': 'PixelProjector', 'in_channels': 4096, 'out_channels': 128},
    'decode_head': {
        'type': 'CAMHead',
        'in_channels': 4096,
        'num_classes': 21,
        'refine': {'type': 'PixelCorrelation'},
    },
    'view': {'type': 'RescaleView', 'size': (128, 128)},
    'losses': {'tags': {'type': 'TagClassificationLoss'}},
}


AFFINITY_NET = {
    'type': 'AffinitySegmentor',
    'backbone': {'type': 'ResNet38', 'out_indices': (1, 2, 3)},
    'decode_head': {'type': 'AffinityHead'},
}
BOUNDARY_NET = {
    'type': 'AffinitySegmentor',
    'backbone': {
        'type': 'StemResNet',
        'depth': 50,
        'strides': (1, 2, 2, 1),
        'frozen_stages': 4,
        'norm_eval': True,
    },
    'decode_head': {'type': 'BoundaryHead'},
}


def convert(folder: Path, published: dict[str, torch.Tensor], kind: str, model: dict) -> nn.Module:
    """The network ``model`` in eval mode with published tensors, which pass through a file."""
    path = folder / 'published.pth'
    torch.save(published, path)
    published.clear()
    checkpoint = convert_published(path)
    path.unlink()
    assert checkpoint['meta']['network'] == kind
    net = MODELS.build(model)
    missing, unexpected = net.load_state_dict(checkpoint['state_dict'], strict=False)
    assert not unexpected
    assert all(name.endswith('num_batches_tracked') for name in missing)
    return net.eval()


def draw(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(recipe.parameter(name, shape))


def assert_near(found: torch.Tensor, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.abs(expected - found.numpy()).max() < 1e-4 * np.abs(expected).max()


@pytest.fixture(scope='module')
def network(tmp_path_factory):
    """The PPC network with the recipe's parameters."""
    published = {f'module.{name}': draw(name, shape) for name, shape in ppc_shapes().items()}
    return convert(tmp_path_factory.mktemp('published'), published, 'PPC on SEAM', MODEL)


@pytest.mark.slow
@torch.no_grad()
def test_ppc_network_equals_the_published_one(network):
    inputs = torch.from_numpy(recipe.image(2, 0))
    taps = {}
    hook = network.backbone.register_forward_hook(lambda *args: taps.update(enumerate(args[-1])))
    view = network.forward_view(inputs)
    hook.remove()
    found = {
        'conv4': taps[1][:, ::16],
        'conv5': taps[2][:, ::32],
        'conv6': taps[3][:, ::64],
        'f_proj': view.embeddings,
        'cam': resize_maps(view.logits, view.size)[..., ::4, ::4],
        'cam_rv': resize_maps(view.refined, view.size)[..., ::4, ::4],
        'cam_rv_down': view.refined,
    }
    with np.load(GOLDEN) as golden:
        assert set(golden.files) == set(found)
        errors = {
            name: float(
                np.abs(golden[name] - found[name].numpy()).max() / np.abs(golden[name]).max()
            )
            for name in golden.files
        }
        shapes = {name: golden[name].shape for name in golden.files}
    assert {name: tuple(value.shape) for name, value in found.items()} == shapes
    assert max(errors.values()) < 1e-4, errors


@pytest.mark.slow
def test_parameter_counts(network):
    total = sum(p.numel() for p in network.parameters())
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert round(total / 1e6, 2) == 105.88
    assert round(trained / 1e6, 2) == 105.01


@pytest.mark.slow
@torch.no_grad()
def test_affinity_net_equals_the_published_one(tmp_path):
    published = {name: draw(name, shape) for name, shape in affinity_shapes().items()}
    network = convert(tmp_path, published, 'AffinityNet', AFFINITY_NET)
    features = network(torch.from_numpy(recipe.image(1, 1)))[0]
    offsets = neighbour_offsets(5)
    affinity = feature_affinity(features, offsets)
    pairs = affinity[pair_mask(offsets, 12, 14, 'published')].reshape(len(offsets), -1)
    with np.load(GOLDEN_AFFINITY) as golden:
        assert_near(pairs, golden['aff_pairs'])


@pytest.mark.slow
@torch.no_grad()
def test_boundary_net_equals_the_published_one(tmp_path):
    published = {}
    for name, shape in boundary_shapes().items():
        names = [name, *boundary_aliases(name)]
        # All names were given values of their own, one after the other, so that those of the last name remained.
        published.update(dict.fromkeys(names, draw(names[-1], shape)))
    network = convert(tmp_path, published, 'IRN', BOUNDARY_NET)
    edge, displacement = network(torch.from_numpy(recipe.image(1, 2)))
    with np.load(GOLDEN_AFFINITY) as golden:
        assert_near(edge[0, 0], golden['irn_edge'])
        assert_near(displacement[0], golden['irn_dp'])
