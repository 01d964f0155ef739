"""The whole published PPC network: parameters by their published names, through the converter."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from mmppc.models.views import resize_maps
from mmppc.utils.published import convert_published

from ..data import recipe
from ..reference.published_names import ppc_shapes

GOLDEN = Path(__file__).parents[1] / 'data' / 'ppc_network.npz'
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


@pytest.fixture(scope='module')
def network(tmp_path_factory):
    """The network in eval mode with the recipe's parameters."""
    published = {
        f'module.{name}': torch.from_numpy(recipe.parameter(name, shape))
        for name, shape in ppc_shapes().items()
    }
    path = tmp_path_factory.mktemp('published') / 'ppc.pth'
    torch.save(published, path)
    del published
    checkpoint = convert_published(path)
    path.unlink()
    assert checkpoint['meta']['network'] == 'PPC on SEAM'
    net = MODELS.build(MODEL)
    state = checkpoint['state_dict']
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith('num_batches_tracked') for name in missing)
    return net.eval()


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
