"""Published EPS, plain CAM and DeepLab weights under our names: channel order, stems, heads of unknown names."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.models.backbones import ResNetV1c
from mmseg.registry import MODELS

from mmppc.models.backbones.resnet38 import ResNet38
from mmppc.models.heads import ConcatASPPHead, LargeFOVHead
from mmppc.utils.published import convert_published
from mmppc.utils.published_check import UnknownWeightsError
from mmppc.utils.published_deeplab import HEAD_LAYERS

from ..data.recipe import parameter
from ..reference.published_names import NORM, backbone_shapes, ppc_shapes, resnet101s_shapes

TOOL = Path(__file__).parents[2] / 'tools/model_converters/published_to_mmppc.py'


def draw(shapes):
    return {name: torch.from_numpy(parameter(name, shape)) for name, shape in shapes.items()}


def save(path, state):
    torch.save(state, path)
    return path


def classifier(outputs):
    """A backbone and its classifier, as plain CAM and EPS have them."""
    return draw({**backbone_shapes(1), 'fc8.weight': (outputs, 64, 1, 1)})


def ppc_on_eps():
    shapes = ppc_shapes(1)
    shapes['proj_fc.weight'] = shapes.pop('fc_proj.weight')
    return draw(shapes)


def load(module, prefix, state):
    """Load what is under ``prefix`` and see that nothing else was missing or left over."""
    found = {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
    missing, unexpected = module.load_state_dict(found, strict=False)
    assert not unexpected
    assert all(name.endswith('num_batches_tracked') for name in missing)


@pytest.mark.parametrize('outputs', [21, 81])
def test_eps_gets_its_background_from_the_last_to_the_first_channel(tmp_path, outputs):
    published = classifier(outputs)
    checkpoint = convert_published(save(tmp_path / 'a.pth', published))
    assert checkpoint['meta']['network'] == 'EPS'
    weight = checkpoint['state_dict']['decode_head.conv_seg.weight']
    assert torch.equal(weight[0], published['fc8.weight'][outputs - 1])
    for k in range(outputs - 1):
        assert torch.equal(weight[1 + k], published['fc8.weight'][k])


@pytest.mark.parametrize('outputs', [20, 80])
def test_plain_cam_gets_a_background_of_zeros(tmp_path, outputs):
    published = classifier(outputs)
    checkpoint = convert_published(save(tmp_path / 'a.pth', published))
    assert checkpoint['meta']['network'] == 'CAM'
    weight = checkpoint['state_dict']['decode_head.conv_seg.weight']
    assert weight.shape == (outputs + 1, 64, 1, 1)
    assert weight[0].abs().max() == 0
    assert torch.equal(weight[1:], published['fc8.weight'])


def test_ppc_on_eps_is_reordered_and_has_projector_and_pixel_correlation(tmp_path):
    published = ppc_on_eps()
    checkpoint = convert_published(save(tmp_path / 'a.pth', published))
    state = checkpoint['state_dict']
    assert checkpoint['meta']['network'] == 'PPC on EPS'
    weight = state['decode_head.conv_seg.weight']
    assert torch.equal(
        weight, torch.cat([published['fc8.weight'][20:], published['fc8.weight'][:20]])
    )
    for name, ours in (
        ('proj_fc', 'neck.conv'),
        ('f8_3', 'decode_head.refine.proj0'),
        ('f8_4', 'decode_head.refine.proj1'),
        ('f9', 'decode_head.refine.fuse'),
    ):
        assert torch.equal(state[f'{ours}.weight'], published[f'{name}.weight'])
    # On SEAM the background is the first channel already.
    state = convert_published(save(tmp_path / 'b.pth', draw(ppc_shapes(1))))['state_dict']
    assert torch.equal(state['decode_head.conv_seg.weight'], draw(ppc_shapes(1))['fc8.weight'])


def test_other_numbers_of_outputs_need_to_be_told(tmp_path):
    path = save(tmp_path / 'a.pth', classifier(7))
    with pytest.raises(UnknownWeightsError, match=r'of 7 outputs may be that of CAM .* or of EPS'):
        convert_published(path)
    for network, outputs in (('CAM', 8), ('EPS', 7)):
        checkpoint = convert_published(path, network)
        assert checkpoint['meta']['network'] == network
        assert len(checkpoint['state_dict']['decode_head.conv_seg.weight']) == outputs
    with pytest.raises(UnknownWeightsError, match=r'\(SEAM\)(.|\n)*3 missing: f8_3.weight, f8_4'):
        convert_published(path, 'SEAM')
    with pytest.raises(ValueError, match="network 'VGG', expected one of backbone, SEAM"):
        convert_published(path, 'VGG')
    target = tmp_path / 'b.pth'
    run = [sys.executable, str(TOOL), str(path), str(target)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 2
    assert not target.exists()
    done = subprocess.run([*run, '--network', 'EPS'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '(EPS, torch)' in done.stdout


def test_the_full_width_resnet101_has_the_published_shapes():
    with torch.device('meta'):
        net = ResNetV1c(depth=101, stem_channels=128)
    found = sorted(
        tuple(v.shape) for n, v in net.state_dict().items() if not n.endswith('num_batches_tracked')
    )
    assert found == sorted(resnet101s_shapes().values())


def test_resnet101_becomes_a_resnetv1c(tmp_path):
    published = draw(resnet101s_shapes(1))
    file = {**published, 'fc.weight': torch.ones(5, 32), 'fc.bias': torch.ones(5)}
    checkpoint = convert_published(save(tmp_path / 'a.pth', file))
    assert checkpoint['meta']['network'] == 'ResNet101'
    net = ResNetV1c(depth=101, stem_channels=2, base_channels=1)
    load(net, 'backbone.', checkpoint['state_dict'])
    for value, name in (
        (net.stem[0].weight, 'conv1.0.weight'),
        (net.stem[4].running_var, 'conv1.4.running_var'),
        (net.stem[6].weight, 'conv1.6.weight'),
        (net.stem[7].bias, 'bn1.bias'),
        (net.layer3[22].bn3.weight, 'layer3.22.bn3.weight'),
        (net.layer1[0].downsample[0].weight, 'layer1.0.downsample.0.weight'),
    ):
        assert torch.equal(value, published[name])


def test_a_resnet101_with_the_common_stem_is_refused(tmp_path):
    file = draw(resnet101s_shapes(1))
    for name in [name for name in file if name.startswith('conv1.')]:
        del file[name]
    file['conv1.weight'] = torch.ones(1, 3, 7, 7)
    with pytest.raises(UnknownWeightsError, match=r'\(ResNet101\)') as raised:
        convert_published(save(tmp_path / 'a.pth', file))
    assert '11 missing: conv1.0.weight, conv1.1.weight' in str(raised.value)
    assert '1 unexpected: conv1.weight' in str(raised.value)


def deeplab(backbone, head):
    """A checkpoint whose head's layers have made-up names, and how they correspond."""
    inner = draw(backbone_shapes(1) if backbone == 'ResNet38' else resnet101s_shapes(1))
    inputs = 64 if backbone == 'ResNet38' else 32
    build, kind = {
        'LargeFOVHead': (LargeFOVHead, 'DeepLab-LargeFOV'),
        'ConcatASPPHead': (ConcatASPPHead, 'DeepLab-ASPP'),
    }[head]
    layers = {f'part{k}.x': ours for k, ours in enumerate(HEAD_LAYERS[kind])}
    init_default_scope('mmseg')
    module = MODELS.build({'type': head, 'in_channels': inputs, 'channels': 8, 'num_classes': 5})
    assert isinstance(module, build)
    shapes = {}
    for name, ours in layers.items():
        weight = dict(module.named_parameters())[f'{ours}.weight']
        kinds = (
            NORM if weight.ndim == 1 else ('weight', 'bias') if ours == 'conv_seg' else ('weight',)
        )
        shapes.update({f'{name}.{k}': tuple(weight.shape) for k in kinds})
        if ours == 'conv_seg':
            shapes[f'{name}.bias'] = (5,)
    state = {**{f'net.{n}': v for n, v in inner.items()}, **draw(shapes)}
    return state, layers, module


@pytest.mark.parametrize('backbone', ['ResNet38', 'ResNet101'])
@pytest.mark.parametrize('head', ['LargeFOVHead', 'ConcatASPPHead'])
def test_deeplab_is_converted_once_its_layers_are_named(tmp_path, backbone, head):
    published, layers, module = deeplab(backbone, head)
    path = save(tmp_path / 'a.pth', published)
    checkpoint = convert_published(path, head_layers=layers)
    kind = 'LargeFOV' if head == 'LargeFOVHead' else 'ASPP'
    assert checkpoint['meta']['network'] == f'DeepLab-{kind} on {backbone}'
    state = checkpoint['state_dict']
    assert len(state) == len(published)
    load(module, 'decode_head.', state)
    slim = dict(depth=101, stem_channels=2, base_channels=1)
    load(
        ResNet38(base_channels=1) if backbone == 'ResNet38' else ResNetV1c(**slim),
        'backbone.',
        state,
    )
    names = {ours: name for name, ours in layers.items()}
    assert torch.equal(module.mix.bn.running_mean, published[f'{names["mix.bn"]}.running_mean'])
    assert torch.equal(module.conv_seg.bias, published[f'{names["conv_seg"]}.bias'])


def test_deeplab_is_refused_with_what_has_no_place(tmp_path):
    published, layers, _ = deeplab('ResNet38', 'LargeFOVHead')
    path = save(tmp_path / 'a.pth', published)
    with pytest.raises(
        UnknownWeightsError, match=r"a ResNet38 below 'net\.', and a head of 3"
    ) as raised:
        convert_published(path)
    message = str(raised.value)
    assert '12 missing: ' in message
    assert '12 of unknown place: part0.x.weight (8, 64, 3, 3), part1.x.weight (8,)' in message
    some = {name: ours for name, ours in layers.items() if ours != 'mix.bn'}
    with pytest.raises(
        UnknownWeightsError, match=r'4 missing: mix.bn.weight(.|\n)*4 of unknown place'
    ):
        convert_published(path, head_layers=some)
    swapped = {**layers, 'part0.x': 'mix.conv', 'part2.x': 'fov.conv'}
    with pytest.raises(
        UnknownWeightsError, match=r'of another shape: mix.conv.weight \(8, 64, 3, 3\)'
    ):
        convert_published(path, head_layers=swapped)
    with pytest.raises(
        ValueError, match=r'found foo, expected those of DeepLab-LargeFOV: fov.conv'
    ):
        convert_published(path, head_layers={**layers, 'part0.x': 'foo'})
    del published['net.b4_3.conv_branch2a.weight']
    with pytest.raises(
        UnknownWeightsError, match=r"below 'net.'(.|\n)*1 missing: b4_3.conv_branch2a"
    ):
        convert_published(save(path, published), head_layers=layers)


def test_the_tool_takes_the_layers(tmp_path):
    published, layers, _ = deeplab('ResNet38', 'LargeFOVHead')
    source, target = save(tmp_path / 'a.pth', published), tmp_path / 'b.pth'
    run = [sys.executable, str(TOOL), str(source), str(target), '--layers']
    done = subprocess.run([*run, 'part0.x'], capture_output=True, text=True)
    assert done.returncode == 2
    assert '--layers part0.x: expected PUBLISHED=OURS' in done.stderr
    pairs = [f'{name}={ours}' for name, ours in layers.items()]
    done = subprocess.run([*run, *pairs], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '(DeepLab-LargeFOV on ResNet38, torch)' in done.stdout
    assert torch.load(target, weights_only=True)['state_dict'].keys() >= {
        'decode_head.fov.bn.weight'
    }
