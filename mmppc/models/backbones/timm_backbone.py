"""Any timm network as backbone, with parts that stand still."""

import importlib.util
from typing import Any

from mmseg.models.backbones import TIMMBackbone
from mmseg.registry import MODELS
from torch import nn

from mmppc.utils.checkpoint import check_pretrained

from ..freezing import freeze_modules, set_norm_mode
from .efficientnet_lite import MISSING_EXTRA

_STEM = ('conv_stem', 'bn1')


@MODELS.register_module()
class FreezableTIMMBackbone(TIMMBackbone):
    """mmseg's ``TIMMBackbone`` whose lower stages and batch norms can be frozen.

    With the three options at their defaults it is a ``TIMMBackbone`` that never downloads.
    ``forward`` maps pictures (N, in_channels, H, W) to timm's list of features, low to high.

    Args:
        model_name: Name of the timm network, such as ``tf_efficientnet_lite0``.
        frozen_stages: -1 trains all, 0 freezes the stem, k also the first k of ``blocks``.
        norm_eval: Every batch norm stays in eval mode, also in ``train()``.
        train_bn_affine: Whether scale and shift of the batch norms learn.
        pretrained: Let timm download its own weights.
        init_cfg: Initialisation, such as
            ``dict(type='Pretrained', checkpoint='efficientnet-lite0://imagenet')``.
        **kwargs: Of ``TIMMBackbone`` and of the timm network (``output_stride``,
            ``out_indices``, ``in_channels``).

    Raises:
        ImportError: timm is not installed.
        ValueError: ``frozen_stages`` asks for stages which the network does not have.
    """

    def __init__(
        self,
        model_name: str,
        *,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        train_bn_affine: bool = True,
        pretrained: bool = False,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        if importlib.util.find_spec('timm') is None:
            raise ImportError(MISSING_EXTRA.format(name='timm'))
        super().__init__(model_name, pretrained=pretrained, init_cfg=init_cfg, **kwargs)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.train_bn_affine = train_bn_affine
        self._frozen = self._find_frozen()
        self._rest()

    def init_weights(self) -> None:
        """As in mmengine, but a ``Pretrained`` checkpoint that does not fit is refused.

        Raises:
            FileNotFoundError: The checkpoint is missing.
            ValueError: It is of another network.
        """
        check_pretrained(self)
        super().init_weights()

    def _find_frozen(self) -> tuple[str, ...]:
        """Names below ``timm_model`` of the modules that ``frozen_stages`` means."""
        if self.frozen_stages < 0:
            return ()
        children = dict(self.timm_model.named_children())
        stem = [name for name in _STEM if name in children]
        stages = len(children['blocks']) if 'blocks' in children else 0
        if not stem or self.frozen_stages > stages:
            raise ValueError(
                f'frozen_stages={self.frozen_stages} needs a timm network with a stem {_STEM} and '
                f'at least that many "blocks"; found {list(children)} with {stages} blocks'
            )
        return (*stem, *(f'blocks.{k}' for k in range(self.frozen_stages)))

    def _rest(self) -> None:
        freeze_modules(self.timm_model.get_submodule(name) for name in self._frozen)
        set_norm_mode(self, norm_eval=self.norm_eval, train_bn_affine=self.train_bn_affine)

    def train(self, mode: bool = True) -> nn.Module:
        """Like ``nn.Module.train``, but what is frozen stays so."""
        super().train(mode)
        if mode and hasattr(self, '_frozen'):
            self._rest()
        return self
