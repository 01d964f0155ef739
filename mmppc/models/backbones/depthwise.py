"""Depthwise convolutions whose backward pass is fast on CPUs."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def autocasts(device: str) -> bool:
    """Whether autocast is on for a type of device."""
    try:
        return torch.is_autocast_enabled(device)  # type: ignore[call-arg]
    except TypeError:  # PyTorch before 2.4
        return torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled()


class _DepthwiseConv(torch.autograd.Function):
    """Both gradients of a depthwise convolution of stride 1, each written as a depthwise convolution.

    The one of the pictures convolves the gradient with the turned kernels. The one of the kernels convolves every map
    of a picture with its own gradient: what is the dilation before is the stride then.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        padding: tuple[int, int],
        dilation: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.padding, ctx.dilation = padding, dilation
        return F.conv2d(inputs, weight, bias, 1, padding, dilation, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        inputs, weight = ctx.saved_tensors
        for_inputs = for_weight = for_bias = None
        number, channels = inputs.shape[:2]
        rows, cols = weight.shape[-2:]
        if ctx.needs_input_grad[0]:
            padding = [d * (k - 1) - p for d, k, p in zip(ctx.dilation, (rows, cols), ctx.padding)]
            turned = weight.flip((2, 3))
            for_inputs = F.conv2d(grad, turned, None, 1, padding, ctx.dilation, groups=channels)
        if ctx.needs_input_grad[1]:
            maps = inputs.reshape(1, number * channels, *inputs.shape[2:])
            kernels = grad.reshape(number * channels, 1, *grad.shape[2:])
            each = F.conv2d(
                maps, kernels, None, ctx.dilation, ctx.padding, groups=number * channels
            )
            # A padded border that is no multiple of the dilation gives further values, which belong to no weight.
            each = each[..., :rows, :cols].reshape(number, channels, 1, rows, cols)
            for_weight = each.sum(dim=0)
        if ctx.needs_input_grad[2]:
            for_bias = grad.sum(dim=(0, 2, 3))
        return for_inputs, for_weight, for_bias, None, None


class FastDepthwiseConv2d(nn.Conv2d):
    """A depthwise ``Conv2d`` with the same results, gradients equal to float rounding, and a backward pass of its own.

    On CPUs, PyTorch's takes 2 to 20 times as long for kernels wider than 3 or dilated ones. Elsewhere, under autocast,
    and when nothing has to be differentiated, this is ``Conv2d``.
    """

    def forward(self, input: Tensor) -> Tensor:
        differentiated = torch.is_grad_enabled() and (
            input.requires_grad or self.weight.requires_grad
        )
        alike = input.dtype == self.weight.dtype and not autocasts('cpu')
        if differentiated and input.device.type == 'cpu' and alike:
            return _DepthwiseConv.apply(input, self.weight, self.bias, self.padding, self.dilation)
        return super().forward(input)


def speed_up_depthwise(root: nn.Module) -> int:
    """Make every convolution below ``root`` that gains by it a :class:`FastDepthwiseConv2d`, in place.

    Those are the plain depthwise ``Conv2d`` of stride 1 with kernels wider than 3 or dilated. Parameters and names
    stay what they are.

    Returns:
        How many there are.
    """
    found = [module for module in root.modules() if _gains(module)]
    for module in found:
        # Its class is all that differs: hooks, parameters and the places that refer to it stay.
        module.__class__ = FastDepthwiseConv2d
    return len(found)


def _gains(module: nn.Module) -> bool:
    if type(module) is not nn.Conv2d or module.padding_mode != 'zeros':
        return False
    depthwise = module.groups == module.in_channels == module.out_channels > 1
    wide = max(module.kernel_size) > 3 or max(module.dilation) > 1
    fits = not isinstance(module.padding, str) and all(
        p <= d * (k - 1) for d, k, p in zip(module.dilation, module.kernel_size, module.padding)
    )
    return depthwise and wide and fits and module.stride == (1, 1)
