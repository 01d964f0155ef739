"""Backbones; importing this registers them."""

from .efficientnet_lite import imagenet_state_dict
from .resnet38 import ResNet38
from .stem_resnet import StemResNet
from .timm_backbone import FreezableTIMMBackbone

__all__ = ['FreezableTIMMBackbone', 'ResNet38', 'StemResNet', 'imagenet_state_dict']
