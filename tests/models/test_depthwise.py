import copy

import pytest
import torch
from torch import nn

from mmppc.models.backbones.depthwise import FastDepthwiseConv2d, speed_up_depthwise


def conv(channels=6, kernel=5, **kwargs):
    return nn.Conv2d(channels, channels, kernel, groups=channels, **kwargs)


@pytest.mark.parametrize(
    ('kernel', 'dilation', 'padding', 'size', 'bias'),
    [
        (5, 2, 4, (14, 14), False),
        (5, 2, 4, (9, 12), True),
        (5, 1, 2, (11, 8), False),
        (3, 2, 2, (7, 10), True),
        (5, 3, 0, (14, 15), True),
        ((3, 5), (2, 1), (1, 2), (9, 8), False),
    ],
)
def test_values_and_gradients_are_those_of_the_library(kernel, dilation, padding, size, bias):
    torch.manual_seed(0)
    plain = conv(6, kernel, dilation=dilation, padding=padding, bias=bias).double()
    fast = copy.deepcopy(plain)
    assert speed_up_depthwise(fast) == 1
    assert isinstance(fast, FastDepthwiseConv2d)
    inputs = torch.randn(3, 6, *size, dtype=torch.float64)
    gradients = []
    for module in (plain, fast):
        given = inputs.clone().requires_grad_()
        out = module(given)
        gradient = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
        wanted = [given, *module.parameters()]
        gradients.append([out, *torch.autograd.grad(out, wanted, gradient)])
    assert len(gradients[0]) == (4 if bias else 3)
    for expected, found in zip(*gradients):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_gradients_of_gradients():
    fast = conv(2, 3, dilation=2, padding=2, bias=False).double()
    speed_up_depthwise(fast)
    inputs = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(
        lambda x, w: torch.func.functional_call(fast, {'weight': w}, (x,)), (inputs, fast.weight)
    )


def test_only_what_gains_is_changed_and_only_its_class():
    net = nn.ModuleDict(
        dict(
            wide=conv(padding=2),
            dilated=conv(kernel=3, dilation=2, padding='valid'),
            small=conv(kernel=3, padding=1),
            strided=conv(stride=2),
            circular=conv(padding=2, padding_mode='circular'),
            grouped=nn.Conv2d(6, 12, 5, groups=6),
            full=nn.Conv2d(6, 6, 5),
        )
    )
    before = net.state_dict()
    assert speed_up_depthwise(net) == 1
    assert [name for name, m in net.items() if isinstance(m, FastDepthwiseConv2d)] == ['wide']
    after = net.state_dict()
    assert list(after) == list(before)
    assert all(after[name].data_ptr() == value.data_ptr() for name, value in before.items())
    assert speed_up_depthwise(net) == 0


def test_what_is_frozen_gets_no_gradient():
    fast = conv(padding=2)
    speed_up_depthwise(fast)
    fast.requires_grad_(False)
    inputs = torch.randn(1, 6, 7, 7)
    assert not fast(inputs).requires_grad
    fast(inputs.requires_grad_()).sum().backward()
    assert inputs.grad is not None
    assert fast.weight.grad is None


def test_autocast_is_left_to_pytorch():
    layer = FastDepthwiseConv2d(4, 4, 5, padding=2, groups=4)
    inputs = torch.randn(2, 4, 9, 9, requires_grad=True)
    with torch.autocast('cpu', torch.bfloat16):
        outputs = layer(inputs)
    outputs.float().sum().backward()
    assert outputs.dtype == torch.bfloat16
    assert layer.weight.grad.dtype == torch.float32
    assert torch.isfinite(inputs.grad).all()
