"""Any timm network as backbone, with parts that stand still."""

import hashlib
import importlib.util
from collections.abc import Mapping
from typing import Any

import torch
from mmseg.models.backbones import TIMMBackbone
from mmseg.registry import MODELS
from torch import Tensor, nn

from mmppc.utils.checkpoint import check_pretrained
from mmppc.utils.model_digest import weights_digest

from ..freezing import freeze_modules, set_norm_mode
from .depthwise import autocasts, speed_up_depthwise
from .efficientnet_lite import MISSING_EXTRA
from .frozen_cache import FrozenCache, LeftOutTap

_STEM = ('conv_stem', 'bn1')
_END = 'end'  # where the trained part goes on


@MODELS.register_module()
class FreezableTIMMBackbone(TIMMBackbone):
    """mmseg's ``TIMMBackbone`` whose lower stages and batch norms can be frozen.

    With its options at their defaults it is a ``TIMMBackbone`` that never downloads.
    ``forward`` maps pictures (N, in_channels, H, W) to timm's list of features, low to high.

    With ``frozen_cache`` the frozen part runs once a picture (docs/caching.md). The cache is no part of the state dict.
    It is passed over, and everything computed, wherever the frozen part may give something else: when a batch norm of
    it is in training mode, when one of its parameters or the pictures need a gradient, and under autocast.

    Args:
        model_name: Name of the timm network, such as ``tf_efficientnet_lite0``.
        frozen_stages: -1 trains all, 0 freezes the stem, k also the first k of ``blocks``.
        norm_eval: Every batch norm stays in eval mode, also in ``train()``.
        train_bn_affine: Whether scale and shift of the batch norms learn.
        frozen_cache: Options of :class:`~mmppc.models.backbones.frozen_cache.FrozenCache`: ``path``, ``taps``,
            ``dtype``, ``max_gb``. Meant for CPUs: on a GPU features are copied from the host. None: no cache.
        fast_depthwise: Have trained depthwise convolutions run backward faster on CPUs, equal to float rounding:
            :class:`~mmppc.models.backbones.depthwise.FastDepthwiseConv2d`.
        pretrained: Let timm download its own weights.
        init_cfg: Initialisation, such as
            ``dict(type='Pretrained', checkpoint='efficientnet-lite0://imagenet')``.
        **kwargs: Of ``TIMMBackbone`` and of the timm network (``output_stride``,
            ``out_indices``, ``in_channels``).

    Raises:
        ImportError: timm is not installed.
        ValueError: ``frozen_stages`` asks for stages which the network does not have, or ``frozen_cache`` for a
            network that cannot be cut behind them.
    """

    def __init__(
        self,
        model_name: str,
        *,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        train_bn_affine: bool = True,
        frozen_cache: Mapping[str, Any] | None = None,
        fast_depthwise: bool = True,
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
        if fast_depthwise:
            speed_up_depthwise(self)
        self.frozen_cache = FrozenCache(**frozen_cache) if frozen_cache else None
        self._weights: tuple[tuple, bytes] | None = (
            None  # of the frozen part: their versions, their digest
        )
        if self.frozen_cache is not None:
            self._check_cut(self.frozen_cache)
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
        stem = [name for name in _STEM if name in children]  # bn1 alone is that of other networks
        stages = len(children['blocks']) if 'blocks' in children else 0
        if _STEM[0] not in stem or self.frozen_stages > stages:
            raise ValueError(
                f'frozen_stages={self.frozen_stages} needs a timm network with a stem {_STEM} and '
                f'at least that many "blocks"; found {list(children)} with {stages} blocks'
            )
        return (*stem, *(f'blocks.{k}' for k in range(self.frozen_stages)))

    def _check_cut(self, cache: FrozenCache) -> None:
        """Refuse a cache of a network that is no chain of a stem and blocks, or of taps that are not frozen."""
        net = self.timm_model
        chain = all(hasattr(net, name) for name in (*_STEM, 'blocks'))
        chain = chain and hasattr(getattr(net, 'feature_info', None), 'get_dicts')
        if not self._frozen or not chain or getattr(net, 'feature_hooks', None) is not None:
            raise ValueError(
                'frozen_cache needs frozen_stages >= 0 and a timm network with features_only=True that is a chain of a '
                f'stem {_STEM} and "blocks", such as the EfficientNets; found {type(net).__name__} with '
                f'frozen_stages={self.frozen_stages}'
            )
        stages = self._stages()
        frozen = [place for place, stage in enumerate(stages) if stage <= self.frozen_stages]
        if not set(cache.taps or ()) <= set(frozen):
            raise ValueError(
                f'frozen_cache.taps={cache.taps}: the frozen feature maps are {frozen} of {len(stages)}'
            )

    def _stages(self) -> list[int]:
        """Behind which stage each output lies: 0 is the stem, k the k-th block."""
        return [info['stage'] for info in self.timm_model.feature_info.get_dicts()]

    def forward(self, x: Tensor) -> list[Tensor]:
        """timm's features (N, C, h, w) of pictures (N, in_channels, H, W), low to high.

        A frozen one that the cache leaves out is a :class:`~mmppc.models.backbones.frozen_cache.LeftOutTap`.
        """
        if self.frozen_cache is None or not self._may_use_cache(x):
            return super().forward(x)
        stages = self._stages()
        taps = {place: stage for place, stage in enumerate(stages) if stage <= self.frozen_stages}
        kept = tuple(taps) if self.frozen_cache.taps is None else self.frozen_cache.taps
        names = {f'tap{place}' for place in kept}
        going_on = next(
            (place for place, stage in taps.items() if stage == self.frozen_stages), None
        )
        end = _END if going_on is None else f'tap{going_on}'
        if self.frozen_stages < len(self.timm_model.blocks):
            names.add(end)

        def compute(pictures: Tensor) -> dict[str, Tensor]:
            features = self._run_frozen(pictures)
            named = {f'tap{place}': features[stage] for place, stage in taps.items()}
            return {**named, _END: features[-1]}

        found = self.frozen_cache.fetch(x, self._digest(), sorted(names), compute)
        features: list[Any] = []
        for place in taps:
            tap = found.get(f'tap{place}')
            features.append(LeftOutTap(place, kept) if tap is None else tap)
        if end in found:
            value = found[end]
            for number in range(self.frozen_stages, len(self.timm_model.blocks)):
                value = self.timm_model.blocks[number](value)
                if number + 1 in stages:
                    features.append(value)
        return features

    def _may_use_cache(self, x: Tensor) -> bool:
        """Whether what is stored is what would be computed."""
        if autocasts(x.device.type) or (torch.is_grad_enabled() and x.requires_grad):
            return False
        modules = [self.timm_model.get_submodule(name) for name in self._frozen]
        return not any(
            part.training or any(p.requires_grad for p in part.parameters(recurse=False))
            for module in modules
            for part in module.modules()
        )

    @torch.no_grad()
    def _run_frozen(self, x: Tensor) -> list[Tensor]:
        """What lies behind the stem and behind each frozen block."""
        net = self.timm_model
        features = [net.bn1(net.conv_stem(x))]
        for number in range(self.frozen_stages):
            features.append(net.blocks[number](features[-1]))
        return features

    def _digest(self) -> bytes:
        """Digest of the frozen part: its layers and their options, its weights."""
        parts = nn.ModuleList(self.timm_model.get_submodule(name) for name in self._frozen)
        versions = tuple(
            (value.data_ptr(), value._version)
            for value in parts.state_dict(keep_vars=True).values()
        )
        if self._weights is None or self._weights[0] != versions:
            digest = hashlib.blake2b(f'{parts} {weights_digest(parts)}'.encode(), digest_size=32)
            self._weights = versions, digest.digest()
        return self._weights[1]

    def _rest(self) -> None:
        freeze_modules(self.timm_model.get_submodule(name) for name in self._frozen)
        set_norm_mode(self, norm_eval=self.norm_eval, train_bn_affine=self.train_bn_affine)

    def train(self, mode: bool = True) -> nn.Module:
        """Like ``nn.Module.train``, but what is frozen stays so."""
        super().train(mode)
        self._weights = None  # a change through `.data` leaves no trace in the versions
        if mode and hasattr(self, '_frozen'):
            self._rest()
        return self
