"""Which parameters of a network stand still; shared by backbones and heads."""

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def freeze_modules(modules: Iterable[nn.Module]) -> None:
    """Take the gradient from ``modules`` and put them in eval mode (dropout and statistics rest)."""
    for module in modules:
        module.eval()
        module.requires_grad_(False)


def set_norm_mode(root: nn.Module, *, norm_eval: bool, train_bn_affine: bool) -> None:
    """Set every batch norm below ``root``; call it after ``train()`` has set the modes.

    Args:
        root: Network whose batch norms are meant.
        norm_eval: Put them in eval mode: running statistics are used and do not move.
        train_bn_affine: False takes the gradient from scale and shift. True leaves them as they
            are, so that frozen parts stay frozen.
    """
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            if norm_eval:
                module.eval()
            if not train_bn_affine:
                module.requires_grad_(False)
