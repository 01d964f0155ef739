"""Which kind of network a config describes."""

from __future__ import annotations

from typing import Any

import mmseg.models  # noqa: F401  its segmentors, to look up
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from mmppc.models.probability_tta import ProbabilityTTAModel
from mmppc.models.segmentors import AffinitySegmentor, CAMSegmentor
from mmppc.utils.network_config import bare_model, tta_model

CAM = 'CAM network'
SEGMENTATION = 'segmentation network'
AFFINITY = 'affinity network'
_INFERENCER = {CAM: 'CAMInferencer', SEGMENTATION: 'SegInferencer'}


def network_kind(cfg: Any, tta: bool = False) -> str:
    """``CAM``: gives maps of tags; ``SEGMENTATION``: gives masks; ``AFFINITY``: improves seeds.

    Args:
        cfg: The config.
        tta: Whether test-time augmentation is meant: its ``ProbabilityTTAModel`` makes any segmentor a CAM network.

    Raises:
        ValueError: There is no model in the config, or nobody knows its type.
    """
    network = _class_of(bare_model(cfg))
    if issubclass(network, CAMSegmentor):
        return CAM
    if issubclass(network, AffinitySegmentor):
        return AFFINITY
    if tta and issubclass(_class_of(tta_model(cfg)), ProbabilityTTAModel):
        return CAM
    return SEGMENTATION


def check_kind(cfg: Any, expected: str, tta: bool = False) -> None:
    """ValueError unless the config describes a network of the expected kind."""
    found = network_kind(cfg, tta)
    if found == expected:
        return
    name = bare_model(cfg)['type']
    if found == AFFINITY:
        raise ValueError(
            f'model.type={name!r}: it walks over seeds, which a picture alone has not; use tools/test.py'
        )
    raise ValueError(
        f'model.type={name!r}: a {found}, expected a {expected}; use mmppc.apis.{_INFERENCER[found]}'
    )


def _class_of(model: dict) -> type:
    kind = model.get('type')
    if isinstance(kind, type):
        return kind
    init_default_scope('mmseg')
    found = MODELS.get(str(kind)) if kind else None
    if found is None:
        raise ValueError(f'model.type={kind!r}: no such network is registered')
    return found
