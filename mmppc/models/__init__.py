"""Networks of the CAM stage and its retraining; importing this registers them."""

from . import backbones, heads, losses, necks, probability_tta, segmentors, tta, views
from .outputs import ViewOutput

__all__ = [
    'ViewOutput',
    'backbones',
    'heads',
    'losses',
    'necks',
    'probability_tta',
    'segmentors',
    'tta',
    'views',
]
