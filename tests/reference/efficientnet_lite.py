"""EfficientNet-Lite0 written out on the tensors of the PyPI package, under the package's names.

Tan & Le's B0 with the changes of the "lite" models: ReLU6, no squeeze-and-excitation. TensorFlow's
"SAME" padding puts the odd pixel below and to the right; batch norm eps is 1e-3.
"""

import torch.nn.functional as F

# kernel, stride, whether the 1x1 expansion exists, of the sixteen blocks
BLOCKS = (
    (3, 1, False),
    *[(3, 2, True), (3, 1, True)],
    *[(5, 2, True), (5, 1, True)],
    *[(3, 2, True), (3, 1, True), (3, 1, True)],
    *[(5, 1, True), (5, 1, True), (5, 1, True)],
    *[(5, 2, True), (5, 1, True), (5, 1, True), (5, 1, True)],
    (3, 1, True),
)


class Reader(dict):
    """A state dict that remembers how often each tensor was read."""

    def __init__(self, *args):
        super().__init__(*args)
        self.reads = dict.fromkeys(self, 0)

    def __getitem__(self, name):
        self.reads[name] += 1
        return super().__getitem__(name)


def same_conv(x, weight, stride=1, groups=1):
    kernel = weight.shape[-1]
    pads = []
    for side in (x.shape[3], x.shape[2]):  # F.pad wants width first
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def norm(x, weights, name):
    mean, var = weights[f'{name}.running_mean'], weights[f'{name}.running_var']
    scale, shift = weights[f'{name}.weight'], weights[f'{name}.bias']
    mean, var, scale, shift = (v[:, None, None] for v in (mean, var, scale, shift))
    return (x - mean) / (var + 1e-3).sqrt() * scale + shift


def block(x, weights, number):
    prefix = f'_blocks.{number}.'
    kernel, stride, expands = BLOCKS[number]
    y = x
    if expands:
        y = same_conv(y, weights[f'{prefix}_expand_conv.weight'])
        y = norm(y, weights, f'{prefix}_bn0').clamp(0, 6)
    depthwise = weights[f'{prefix}_depthwise_conv.weight']
    assert depthwise.shape[2:] == (kernel, kernel)
    y = same_conv(y, depthwise, stride, groups=y.shape[1])
    y = norm(y, weights, f'{prefix}_bn1').clamp(0, 6)
    y = same_conv(y, weights[f'{prefix}_project_conv.weight'])
    y = norm(y, weights, f'{prefix}_bn2')
    return y + x if stride == 1 and x.shape == y.shape else y


def forward(x, weights):
    """Logits (N, 1000) and the outputs of the sixteen blocks for pictures (N, 3, H, W)."""
    x = same_conv(x, weights['_conv_stem.weight'], 2)
    x = norm(x, weights, '_bn0').clamp(0, 6)
    outputs = []
    for number in range(len(BLOCKS)):
        x = block(x, weights, number)
        outputs.append(x)
    x = norm(same_conv(x, weights['_conv_head.weight']), weights, '_bn1').clamp(0, 6)
    return F.linear(x.mean((2, 3)), weights['_fc.weight'], weights['_fc.bias']), outputs
