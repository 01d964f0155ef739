import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mmppc.models.backbones.resnet38 import ResNet38
from mmppc.models.backbones.stem_resnet import StemResNet
from mmppc.models.heads import AffinityHead, BoundaryHead
from mmppc.utils.published import convert_published
from mmppc.utils.published_check import UnknownWeightsError
from mmppc.utils.published_names import mxnet_name, our_name

from ..data.recipe import parameter
from ..reference.published_names import (
    affinity_shapes,
    backbone_shapes,
    boundary_aliases,
    boundary_shapes,
    ppc_shapes,
    to_mxnet,
)
from ..utils.params_file import params_bytes

TOOL = Path(__file__).parents[2] / 'tools/model_converters/published_to_mmppc.py'
WIDTH = 1
HEADS = {
    'fc8.weight': 'decode_head.conv_seg.weight',
    'fc_proj.weight': 'neck.conv.weight',
    'f8_3.weight': 'decode_head.refine.proj0.weight',
    'f8_4.weight': 'decode_head.refine.proj1.weight',
    'f9.weight': 'decode_head.refine.fuse.weight',
}


def draw(shapes):
    return {name: torch.from_numpy(parameter(name, shape)) for name, shape in shapes.items()}


def save(path, state):
    torch.save(state, path)
    return path


def save_params(path, extra=None, version=0):
    arrays = {to_mxnet(n): v.numpy() for n, v in draw(backbone_shapes(WIDTH)).items()}
    classifier = {'arg:linear1000_weight': np.ones((5, 64), 'f4'), 'arg:linear1000_bias': None}
    path.write_bytes(params_bytes({**arrays, **classifier, **(extra or {})}, version))
    return path


def test_names_follow_the_published_rule():
    expected = {
        'arg:conv1a_weight': 'conv1a.weight',
        'arg:res2a_branch1_weight': 'b2.conv_branch1.weight',
        'arg:res4b5_branch2b1_weight': 'b4_5.conv_branch2b1.weight',
        'arg:bn7a_branch2b2_gamma': 'b7.bn_branch2b2.weight',
        'arg:bn3b1_branch2a_beta': 'b3_1.bn_branch2a.bias',
        'aux:bn5b2_branch2a_moving_var': 'b5_2.bn_branch2a.running_var',
        'arg:bn7_gamma': 'bn7.weight',
        'aux:bn7_moving_mean': 'bn7.running_mean',
        'arg:linear1000_weight': None,
        'arg:bn7_moving_mean': None,
        'arg:res2a_branch2a_gamma': None,
        'arg:fc1_weight': None,
    }
    assert {name: mxnet_name(name) for name in expected} == expected
    for name in backbone_shapes():
        assert mxnet_name(to_mxnet(name)) == name


def test_the_full_width_backbone_has_the_tabulated_names_and_shapes():
    with torch.device('meta'):
        state = ResNet38().state_dict()
    found = {n: tuple(v.shape) for n, v in state.items() if not n.endswith('num_batches_tracked')}
    assert found == backbone_shapes()


@pytest.mark.parametrize('version', [0, 1, 2, 3])
def test_params_become_a_backbone(tmp_path, version):
    source = save_params(tmp_path / 'a.params', version=version)
    checkpoint = convert_published(source)
    assert checkpoint['meta'] == {'source': 'a.params', 'format': 'mxnet', 'network': 'backbone'}
    expected = draw(backbone_shapes(WIDTH))
    assert checkpoint['state_dict'].keys() == {f'backbone.{name}' for name in expected}
    for name, value in expected.items():
        assert torch.equal(checkpoint['state_dict'][f'backbone.{name}'], value)


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('wrapped', [False, True])
def test_a_state_dict_becomes_a_network(tmp_path, prefix, wrapped):
    published = draw(ppc_shapes(WIDTH))
    state = {f'{prefix}{name}': value for name, value in published.items()}
    state[f'{prefix}bn7.num_batches_tracked'] = torch.tensor(3)
    source = save(tmp_path / 'a.pth', {'state_dict': state} if wrapped else state)
    checkpoint = convert_published(source)
    assert checkpoint['meta']['network'] == 'PPC on SEAM'
    for name, value in published.items():
        ours = HEADS.get(name, f'backbone.{name}')
        assert our_name(name) == ours
        assert torch.equal(checkpoint['state_dict'].pop(ours), value)
    assert list(checkpoint['state_dict']) == ['backbone.bn7.num_batches_tracked']


def test_seam_has_no_projector_and_any_number_of_classes(tmp_path):
    published = draw(ppc_shapes(WIDTH, classes=81))
    del published['fc_proj.weight']
    checkpoint = convert_published(save(tmp_path / 'a.pth', published))
    assert checkpoint['meta']['network'] == 'SEAM'
    assert checkpoint['state_dict']['decode_head.conv_seg.weight'].shape[0] == 81


def test_the_tool_writes_a_backbone_for_init_cfg(tmp_path):
    source, target = save_params(tmp_path / 'a.params'), tmp_path / 'out' / 'a.pth'
    run = [sys.executable, str(TOOL), str(source), str(target)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert '(backbone, mxnet)' in done.stdout
    torch.load(target, weights_only=True)
    init_cfg = {'type': 'Pretrained', 'checkpoint': str(target), 'prefix': 'backbone.'}
    net = ResNet38(base_channels=WIDTH, init_cfg=init_cfg)
    net.init_weights()
    state = net.state_dict()
    for name, value in draw(backbone_shapes(WIDTH)).items():
        assert torch.equal(state[name], value)


def test_the_tool_refuses_with_one_message(tmp_path):
    source, target = save(tmp_path / 'a.pth', {'layer1.weight': torch.ones(1)}), tmp_path / 'b.pth'
    done = subprocess.run(
        [sys.executable, str(TOOL), str(source), str(target)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert 'layer1.weight' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not target.exists()


def load(module, prefix, state):
    """Load what is under ``prefix`` and see that nothing else was missing or left over."""
    found = {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)}
    missing, unexpected = module.load_state_dict(found, strict=False)
    assert not unexpected
    assert all(name.endswith('num_batches_tracked') for name in missing)


def test_affinity_net_becomes_an_affinity_head(tmp_path):
    published = draw(affinity_shapes(WIDTH))
    checkpoint = convert_published(save(tmp_path / 'a.pth', published))
    state = checkpoint['state_dict']
    assert checkpoint['meta']['network'] == 'AffinityNet'
    assert len(state) == len(published)
    head = AffinityHead(in_channels=(8, 16, 64), channels=(1, 2, 4))
    load(head, 'decode_head.', state)
    load(ResNet38(base_channels=WIDTH), 'backbone.', state)
    for name, ours in (('f8_3', 'proj0'), ('f8_4', 'proj1'), ('f8_5', 'proj2'), ('f9', 'fuse')):
        assert torch.equal(getattr(head, ours).weight, published[f'{name}.weight'])


def with_duplicates(published):
    names = {name: [name, *boundary_aliases(name)] for name in published}
    return {alias: published[name] for name in names for alias in names[name]}


@pytest.mark.parametrize('duplicates', [True, False])
def test_irn_becomes_a_boundary_head(tmp_path, duplicates):
    published = draw(boundary_shapes(WIDTH))
    file = with_duplicates(published) if duplicates else dict(published)
    file['resnet50.bn1.num_batches_tracked'] = torch.tensor(3)
    file['resnet50.fc.weight'] = torch.ones(5, 3)
    checkpoint = convert_published(save(tmp_path / 'a.pth', file))
    state = checkpoint['state_dict']
    assert checkpoint['meta']['network'] == 'IRN'
    assert len(state) == len(published) + 1
    backbone = StemResNet(depth=50, stem_channels=WIDTH, base_channels=WIDTH)
    head = BoundaryHead(in_channels=(1, 4, 8, 16, 32))
    load(backbone, 'backbone.', state)
    load(head, 'decode_head.', state)
    for value, name in (
        (backbone.layer3[2].bn1.running_var, 'resnet50.layer3.2.bn1.running_var'),
        (head.edge_levels[4].norm.bias, 'fc_edge5.1.bias'),
        (head.edge_out.bias, 'fc_edge6.bias'),
        (head.displacement_levels[1].conv.weight, 'fc_dp2.0.weight'),
        (head.displacement_coarse.norm.weight, 'fc_dp6.1.weight'),
        (head.displacement_out.weight, 'fc_dp7.3.weight'),
        (head.displacement_mean, 'mean_shift.running_mean'),
    ):
        assert torch.equal(value, published[name])


def test_irn_may_hold_the_lists_only(tmp_path):
    published = draw(boundary_shapes(WIDTH))
    file = {boundary_aliases(name)[-1]: value for name, value in published.items()}
    state = convert_published(save(tmp_path / 'a.pth', file))['state_dict']
    assert torch.equal(state['backbone.conv1.weight'], published['resnet50.conv1.weight'])
    assert torch.equal(state['decode_head.displacement_mean'], published['mean_shift.running_mean'])


def broken(change, published=None):
    published = draw(ppc_shapes(WIDTH)) if published is None else published
    change(published)
    return published


def broken_aff(change):
    return broken(change, draw(affinity_shapes(WIDTH)))


def broken_irn(change):
    return broken(change, with_duplicates(draw(boundary_shapes(WIDTH))))


@pytest.mark.parametrize(
    ('state', 'words'),
    [
        (broken(lambda s: s.pop('b4_3.conv_branch2a.weight')), '1 missing: b4_3.conv_branch2a.we'),
        (broken(lambda s: s.pop('bn7.running_var')), '1 missing: bn7.running_var'),
        (broken(lambda s: s.pop('f9.weight')), '1 missing: f9.weight'),
        (broken(lambda s: s.update({'f8_5.weight': s['f9.weight']})), '1 unexpected: f8_5.weight'),
        (broken(lambda s: s.update(epoch=3)), r'1 unexpected: epoch \(int\)'),
        (
            broken(lambda s: s.update({'f9.weight': s['f9.weight'][:, 1:]})),
            r'f9.weight \(192, 194, 1, 1\), expected \(192, 195, 1, 1\)',
        ),
        (
            broken(lambda s: s.update({'b5.conv_branch1.weight': torch.ones(1)})),
            r'1 of another shape: b5.conv_branch1.weight \(1,\), expected \(16, 8, 1, 1\)',
        ),
        (broken_aff(lambda s: s.pop('f8_5.weight')), r'\(AffinityNet\)[^;]*1 missing: f8_5.weight'),
        (
            broken_aff(lambda s: s.update({'f9.weight': s['f9.weight'][:, 1:]})),
            r'f9.weight \(7, 6, 1, 1\), expected \(7, 7, 1, 1\)',
        ),
        (
            broken_irn(lambda s: [s.pop('fc_dp7.3.weight'), s.pop('dp_layers.6.3.weight')]),
            r'\(IRN\)[^;]*1 missing: fc_dp7.3.weight',
        ),
        (
            broken_irn(lambda s: s.update({'stage3.0.1.bn2.bias': torch.ones(2)})),
            '1 unexpected: stage3.0.1.bn2.bias, unlike resnet50.layer2.1.bn2.bias',
        ),
        (
            broken_irn(lambda s: s.update({'fc_dp7.4.running_mean': torch.ones(2)})),
            '1 unexpected: .*unlike mean_shift.running_mean',
        ),
        (broken_irn(lambda s: s.update({'stage6.0.weight': torch.ones(2)})), 'stage6.0.weight'),
        ({}, 'missing: conv1a.weight'),
        ({'state_dict': 3}, r'unexpected: state_dict \(int\)'),
        ({'conv1a.weight': torch.ones(())}, 'conv1a.weight'),
    ],
)
def test_refuses_what_does_not_fit_and_lists_it(tmp_path, state, words):
    with pytest.raises(UnknownWeightsError, match=words):
        convert_published(save(tmp_path / 'a.pth', state))


def test_refuses_arrays_of_other_networks(tmp_path):
    source = save_params(tmp_path / 'a.params', {'arg:stage1_conv_weight': np.ones(2, 'f4')})
    with pytest.raises(UnknownWeightsError, match='1 unexpected: arg:stage1_conv_weight'):
        convert_published(source)


def test_refuses_truncated_and_missing_files(tmp_path):
    source = save_params(tmp_path / 'a.params')
    source.write_bytes(source.read_bytes()[:-5000])
    with pytest.raises(ValueError, match='truncated'):
        convert_published(source)
    source.write_bytes(b'not weights')
    with pytest.raises(ValueError, match=r'a\.params'):
        convert_published(source)
    with pytest.raises(FileNotFoundError, match='weights not found'):
        convert_published(tmp_path / 'b.params')
