"""Names and shapes of the published networks, written out from the table of ResNet38d."""

import re

# block: widths in, middle, out (of 64), stride, for the two-3x3 blocks
PLAIN = {
    'b2': (1, 2, 2, 2),
    **{f'b2_{k}': (2, 2, 2, 1) for k in (1, 2)},
    'b3': (2, 4, 4, 2),
    **{f'b3_{k}': (4, 4, 4, 1) for k in (1, 2)},
    'b4': (4, 8, 8, 2),
    **{f'b4_{k}': (8, 8, 8, 1) for k in (1, 2, 3, 4, 5)},
    'b5': (8, 8, 16, 1),
    **{f'b5_{k}': (16, 8, 16, 1) for k in (1, 2)},
}
BOTTLENECK = {'b6': (16, 32), 'b7': (32, 64)}
NORM = ('weight', 'bias', 'running_mean', 'running_var')


def backbone_shapes(width=64):
    """Shape by published name of every parameter and statistic of the backbone."""
    shapes = {'conv1a.weight': (width, 3, 3, 3)}

    def add(block, branch, conv, norm_width):
        shapes[f'{block}.conv_{branch}.weight'] = conv
        if norm_width:
            shapes.update({f'{block}.bn_{branch}.{kind}': (norm_width,) for kind in NORM})

    for block, (a, b, c, stride) in PLAIN.items():
        a, b, c = a * width, b * width, c * width
        add(block, 'branch2a', (b, a, 3, 3), a)
        add(block, 'branch2b1', (c, b, 3, 3), b)
        if a != c or stride != 1:
            add(block, 'branch1', (c, a, 1, 1), None)
    for block, (a, c) in BOTTLENECK.items():
        a, c = a * width, c * width
        add(block, 'branch2a', (c // 4, a, 1, 1), a)
        add(block, 'branch2b1', (c // 2, c // 4, 3, 3), c // 4)
        add(block, 'branch2b2', (c, c // 2, 1, 1), c // 2)
        add(block, 'branch1', (c, a, 1, 1), None)
    return {**shapes, **{f'bn7.{kind}': (64 * width,) for kind in NORM}}


def ppc_shapes(width=64, classes=21):
    """The same of the PPC network."""
    return {
        **backbone_shapes(width),
        'fc8.weight': (classes, 64 * width, 1, 1),
        'fc_proj.weight': (128, 64 * width, 1, 1),
        'f8_3.weight': (64, 8 * width, 1, 1),
        'f8_4.weight': (128, 16 * width, 1, 1),
        'f9.weight': (192, 3 + 64 + 128, 1, 1),
    }


def affinity_shapes(width=64):
    """The same of AffinityNet."""
    return {
        **backbone_shapes(width),
        'f8_3.weight': (width, 8 * width, 1, 1),
        'f8_4.weight': (2 * width, 16 * width, 1, 1),
        'f8_5.weight': (4 * width, 64 * width, 1, 1),
        'f9.weight': (7 * width, 7 * width, 1, 1),
    }


def bottleneck_shapes(prefix, depths, before, width):
    """The same of the four layers of a ResNet of bottlenecks, torchvision's names."""
    shapes = {}

    def norm(name, channels):
        shapes.update({f'{name}.{kind}': (channels,) for kind in NORM})

    for layer, (blocks, middle) in enumerate(zip(depths, (1, 2, 4, 8)), start=1):
        middle *= width
        for block in range(blocks):
            name = f'{prefix}layer{layer}.{block}'
            shapes[f'{name}.conv1.weight'] = (middle, before, 1, 1)
            norm(f'{name}.bn1', middle)
            shapes[f'{name}.conv2.weight'] = (middle, middle, 3, 3)
            norm(f'{name}.bn2', middle)
            shapes[f'{name}.conv3.weight'] = (4 * middle, middle, 1, 1)
            norm(f'{name}.bn3', 4 * middle)
            if block == 0:
                shapes[f'{name}.downsample.0.weight'] = (4 * middle, before, 1, 1)
                norm(f'{name}.downsample.1', 4 * middle)
            before = 4 * middle
    return shapes


def resnet101s_shapes(width=64):
    """The same of the retraining stage's ResNet101: a stem of 3x3 convolutions, 64, 64 and 128 wide."""
    shapes = {
        'conv1.0.weight': (width, 3, 3, 3),
        'conv1.3.weight': (width, width, 3, 3),
        'conv1.6.weight': (2 * width, width, 3, 3),
    }
    for name, channels in (('conv1.1', width), ('conv1.4', width), ('bn1', 2 * width)):
        shapes.update({f'{name}.{kind}': (channels,) for kind in NORM})
    return {**shapes, **bottleneck_shapes('', (3, 4, 23, 3), 2 * width, width)}


def boundary_shapes(width=64):
    """The same of IRN's boundary network: torchvision's ResNet50 and both branches, every tensor once."""
    shapes = {'resnet50.conv1.weight': (width, 3, 7, 7)}

    def norm(name, channels, kinds=NORM):
        shapes.update({f'{name}.{kind}': (channels,) for kind in kinds})

    norm('resnet50.bn1', width)
    shapes.update(bottleneck_shapes('resnet50.', (3, 4, 6, 3), width, width))

    def branch(name, inputs, outputs):
        shapes[f'{name}.0.weight'] = (outputs, inputs, 1, 1)
        norm(f'{name}.1', outputs, ('weight', 'bias'))

    levels = (width, 4 * width, 8 * width, 16 * width, 32 * width)
    for number, inputs in enumerate(levels, start=1):
        branch(f'fc_edge{number}', inputs, 32)
    shapes['fc_edge6.weight'], shapes['fc_edge6.bias'] = (1, 5 * 32, 1, 1), (1,)
    for number, (inputs, outputs) in enumerate(zip(levels, (64, 128, 256, 256, 256)), start=1):
        branch(f'fc_dp{number}', inputs, outputs)
    branch('fc_dp6', 3 * 256, 256)
    branch('fc_dp7', 64 + 128 + 256, 256)
    shapes['fc_dp7.3.weight'] = (2, 256, 1, 1)
    shapes['mean_shift.running_mean'] = (2,)
    return shapes


def boundary_aliases(name):
    """Further names under which IRN registers the same tensor, e.g. ``stage2.0.0.conv1.weight``."""
    layer, _, leaf = name.partition('.')
    if layer == 'resnet50':
        layer, _, leaf = leaf.partition('.')
        stages = {'conv1': '1.0', 'bn1': '1.1', **{f'layer{k}': f'{k + 1}.0' for k in range(1, 5)}}
        stage, place = stages[layer].split('.')
        return [f'stage{stage}.{place}.{leaf}', f'backbone.{int(stage) - 1}.{place}.{leaf}']
    if layer == 'mean_shift':
        return [f'fc_dp7.4.{leaf}', f'dp_layers.6.4.{leaf}']
    kind, number = layer[3:-1], int(layer[-1])
    return [f'{kind}_layers.{number - 1}.{leaf}']


def to_mxnet(name):
    """mxnet's name of a published backbone parameter: ``b4_5`` is ``4b5``, ``b2`` is ``2a``."""
    if name == 'conv1a.weight':
        return 'arg:conv1a_weight'
    *layer, kind = name.split('.')
    kinds = {'running_mean': 'moving_mean', 'running_var': 'moving_var', 'bias': 'beta'}
    group = 'aux' if kind.startswith('running') else 'arg'
    if layer == ['bn7']:
        return f'{group}:bn7_{kinds.get(kind, "gamma")}'
    block, branch = layer
    stage, number = re.fullmatch(r'b(\d)(?:_(\d))?', block).groups()
    place = f'{stage}b{number}' if number else f'{stage}a'
    if branch.startswith('conv_'):
        return f'arg:res{place}_{branch[5:]}_weight'
    return f'{group}:bn{place}_{branch[3:]}_{kinds.get(kind, "gamma")}'
