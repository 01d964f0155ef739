import copy
import multiprocessing

import pytest
import torch
from mmengine.structures import LabelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from mmppc.models.backbones.frozen_cache import FrozenCache, LeftOutTap

pytest.importorskip('timm')

BACKBONE = dict(
    type='FreezableTIMMBackbone',
    model_name='tf_efficientnet_lite0',
    features_only=True,
    output_stride=16,
    frozen_stages=5,
    norm_eval=True,
    train_bn_affine=False,
)


@pytest.fixture(scope='module')
def weights():
    torch.manual_seed(0)
    return MODELS.build(copy.deepcopy(BACKBONE)).state_dict()


def build(weights, cache=None, **kwargs):
    net = MODELS.build({**copy.deepcopy(BACKBONE), 'frozen_cache': cache, **kwargs})
    net.load_state_dict(weights)
    return net.train()


def pictures(number=3, size=(40, 56), seed=0):
    return torch.randn(number, 3, *size, generator=torch.Generator().manual_seed(seed))


def count_frozen(net):
    """A list of how many pictures went through the stem, a number a call."""
    calls = []
    net.timm_model.conv_stem.register_forward_pre_hook(lambda _, args: calls.append(len(args[0])))
    return calls


def gradients(net, inputs):
    features = net(inputs)
    loss = sum((f * torch.linspace(-1, 1, f.numel()).view_as(f)).sum() for f in features)
    net.zero_grad()
    loss.backward()
    return features, {n: p.grad for n, p in net.named_parameters() if p.grad is not None}


@pytest.mark.parametrize('stages', [0, 3, 5, 6])
def test_features_and_gradients_are_those_without_a_cache(tmp_path, weights, stages):
    plain = build(weights, frozen_stages=stages)
    cached = build(weights, dict(path=tmp_path / 'a.sqlite'), frozen_stages=stages)
    assert list(cached.state_dict()) == list(plain.state_dict())
    calls = count_frozen(cached)
    torch.manual_seed(0)
    for inputs in (pictures(), pictures().flip(0), pictures(2, (33, 47)), pictures(4)):
        expected, wanted = gradients(plain, inputs)
        found, got = gradients(cached, inputs)
        assert len(found) == 5
        for one, other in zip(expected, found):
            torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)
        assert set(got) == set(wanted)
        assert any(name.startswith('timm_model.blocks.6') for name in got)
        for name, value in wanted.items():
            torch.testing.assert_close(
                got[name], value, rtol=1e-3, atol=1e-3 * float(value.abs().max())
            )
    # The second batch is known, of the last one only the fourth picture is new.
    assert calls == [3, 2, 1]


def test_all_frozen_and_networks_in_eval_mode(tmp_path, weights):
    plain = build(weights, frozen_stages=7).eval()
    cached = build(weights, dict(path=tmp_path / 'a.sqlite'), frozen_stages=7).eval()
    calls = count_frozen(cached)
    for _ in range(2):
        for one, other in zip(plain(pictures()), cached(pictures())):
            torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)
    assert calls == [3]


def test_only_taps_that_are_read_are_kept_and_others_are_refused(tmp_path, weights):
    path = tmp_path / 'a.sqlite'
    small = build(weights, dict(path=path, taps=()))
    small(pictures())
    assert set(small.frozen_cache.store.read(_keys(small))[0]) == {'tap3'}
    features = small(pictures())
    with pytest.raises(ValueError, match=r'feature map 2 .* keeps only taps=\(\).*: add 2'):
        features[2].detach()
    with pytest.raises(ValueError, match='feature map 1'):
        nn.functional.interpolate(features[1], size=(2, 2))
    with pytest.raises(ValueError, match='feature map 0'):
        torch.cat([features[4], features[0]])
    assert features[3].shape[1:] == (112, 3, 4)
    # Another network with the same frozen part adds what it needs besides.
    more = build(weights, dict(path=path, taps=(2, 3)))
    calls = count_frozen(more)
    more(pictures())
    expected = build(weights)(pictures())
    found = more(pictures())
    assert calls == [3]
    assert set(more.frozen_cache.store.read(_keys(more))[0]) == {'tap2', 'tap3'}
    for place in (2, 3, 4):
        torch.testing.assert_close(found[place], expected[place], rtol=1e-4, atol=1e-5)
    assert isinstance(found[0], LeftOutTap)


def _keys(net):
    return net.frozen_cache._keys(pictures(), net._digest())


def test_other_weights_and_other_layers_are_other_entries(tmp_path, weights):
    cache = dict(path=tmp_path / 'a.sqlite')
    net = build(weights, cache)
    calls = count_frozen(net)
    net(pictures())
    changed = {name: value.clone() for name, value in weights.items()}
    changed['timm_model.blocks.6.0.conv_pw.weight'] *= 2  # not frozen
    net.load_state_dict(changed)
    net(pictures())
    assert calls == [3]
    changed['timm_model.blocks.1.0.conv_pw.weight'] *= 1.01
    net.load_state_dict(changed)
    torch.testing.assert_close(net(pictures())[3], build(changed)(pictures())[3])
    assert calls == [3, 3]
    net.timm_model.bn1.running_mean.data += 1  # leaves no trace until the mode is set
    net.train()
    net(pictures())
    assert calls == [3, 3, 3]
    other = build(weights, cache, output_stride=8)
    seen = count_frozen(other)
    torch.testing.assert_close(other(pictures())[3], build(weights, output_stride=8)(pictures())[3])
    assert seen == [3]


def test_pictures_are_told_apart_by_every_value_shape_and_type(tmp_path):
    cache = FrozenCache(tmp_path / 'a.sqlite')
    base = torch.zeros(1, 3, 4, 6)
    nudged = base.clone()
    nudged[0, 2, 3, 5] = 1e-30
    given = [base, nudged, base.view(1, 3, 6, 4), base.view(1, 6, 3, 4), base.double()]
    keys = [cache._keys(inputs, b'net')[0] for inputs in given]
    assert len({*keys, cache._keys(base, b'other')[0]}) == 6
    assert cache._keys(base.transpose(2, 3).contiguous().transpose(2, 3), b'net')[0] == keys[0]


def test_where_the_frozen_part_may_differ_all_is_computed(tmp_path, weights):
    net = build(weights, dict(path=tmp_path / 'a.sqlite', taps=()))
    calls = count_frozen(net)

    def whole(inputs):
        features = net(inputs)
        assert not any(isinstance(item, LeftOutTap) for item in features)
        return features

    with torch.autocast('cpu', dtype=torch.bfloat16):
        whole(pictures())
    inputs = pictures().requires_grad_()
    whole(inputs)[0].sum().backward()
    assert inputs.grad.abs().sum() > 0
    net.timm_model.blocks[2].train()
    whole(pictures())
    net.train()
    next(net.timm_model.blocks[2].parameters()).requires_grad_(True)
    whole(pictures())
    net.train()
    assert calls == [3] * 4
    assert len(net.frozen_cache.store) == 0
    with torch.no_grad():
        net(pictures().requires_grad_())
    assert len(net.frozen_cache.store) == 3


def test_half_precision_takes_half_the_space_and_is_close(tmp_path, weights):
    net = build(weights, dict(path=tmp_path / 'a.sqlite', dtype='float16', taps=(2,)))
    net(pictures())
    found = net(pictures())
    expected = build(weights)(pictures())
    assert found[2].dtype == torch.float32
    torch.testing.assert_close(found[2], expected[2], rtol=1e-3, atol=1e-3)
    assert not torch.equal(found[2], expected[2])


def test_a_full_store_is_said_once_and_harmless(tmp_path, weights, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmppc.models.backbones.frozen_cache.print_log', lambda text, **_: said.append(text)
    )
    net = build(weights, dict(path=tmp_path / 'a.sqlite', max_gb=1e-4))
    expected = build(weights)(pictures())
    for _ in range(3):
        torch.testing.assert_close(net(pictures()), expected, rtol=1e-4, atol=1e-5)
    assert len(said) == 1
    assert 'max_gb=0.0001' in said[0]


def _write(weights, path):
    build(weights, dict(path=path))(pictures(6))


def test_two_processes_fill_one_file(tmp_path, weights):
    path = tmp_path / 'a.sqlite'
    torch.set_num_threads(1)
    fork = multiprocessing.get_context('fork')
    children = [fork.Process(target=_write, args=(weights, path)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    net = build(weights, dict(path=path))
    calls = count_frozen(net)
    torch.testing.assert_close(net(pictures(6)), build(weights)(pictures(6)), rtol=1e-4, atol=1e-5)
    assert calls == []


@pytest.mark.parametrize(
    ('kwargs', 'cache', 'message'),
    [
        (dict(frozen_stages=-1), {}, 'frozen_cache needs frozen_stages >= 0'),
        (dict(features_only=False), {}, 'features_only=True'),
        ({}, dict(taps=(4,)), r'taps=\(4,\): the frozen feature maps are \[0, 1, 2, 3\] of 5'),
        ({}, dict(dtype='int8'), "dtype='int8'"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, kwargs, cache, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build({**BACKBONE, **kwargs, 'frozen_cache': dict(path=tmp_path / 'a', **cache)})


def segmentor(weights, cache):
    torch.manual_seed(0)
    net = MODELS.build(
        dict(
            type='CAMSegmentor',
            backbone={**BACKBONE, 'frozen_cache': cache, 'fast_depthwise': cache is not None},
            neck=dict(type='PixelProjector', in_channels=320, out_channels=8),
            decode_head=dict(
                type='CAMHead',
                in_channels=320,
                num_classes=4,
                refine=dict(
                    type='PixelCorrelation', in_channels=(40, 112), in_indices=(2, 3), channels=(4, 8),
                    out_channels=8,
                ),
            ),
            view=dict(type='RescaleView', size=(48, 48)),
            losses=dict(
                tags=dict(type='TagClassificationLoss'),
                equivariance=dict(type='EquivarianceLoss'),
                contrast=dict(type='PixelPrototypeContrastLoss', topk=4),
            ),
        )
    )  # fmt: skip
    net.init_weights()
    net.backbone.load_state_dict(weights)
    return net.train()


def test_training_and_testing_are_those_without_a_cache(tmp_path, weights):
    samples = []
    for number in range(3):
        sample = SegDataSample(metainfo=dict(ori_shape=(80, 64), img_shape=(80, 64)))
        sample.gt_tags = LabelData(label=torch.eye(3)[number])
        samples.append(sample)
    results = []
    for cache in (None, dict(path=tmp_path / 'a.sqlite', taps=(2, 3))):
        net = segmentor(weights, cache)
        calls = count_frozen(net.backbone)
        optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.001)
        history = []
        for step in range(4):
            torch.manual_seed(step)  # dropout, sampling
            losses = net.loss(pictures(3, (80, 64), step % 2), samples)
            optimizer.zero_grad()
            sum(losses.values()).backward()
            optimizer.step()
            history.append(losses)
        net.eval()
        with torch.no_grad():
            maps = net.forward_view(pictures(3, (80, 64)), project=False).refined
        results.append((history, maps, dict(net.named_parameters())))
    assert calls == [3, 3] * 2  # two batches, two views each; nothing in the test
    for one, other in zip(results[0][0], results[1][0]):
        assert set(one) == set(other)
        for name, loss in one.items():
            torch.testing.assert_close(other[name], loss, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(results[1][1], results[0][1], rtol=1e-3, atol=1e-4)
    for name, value in results[0][2].items():
        torch.testing.assert_close(results[1][2][name], value, rtol=1e-4, atol=1e-5)
