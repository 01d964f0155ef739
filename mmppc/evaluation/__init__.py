"""Metrics, registered in mmseg."""

from mmppc.evaluation.mask_metric import MaskMetric
from mmppc.evaluation.seed_metric import SeedMetric
from mmppc.evaluation.tag_metric import TagMetric

__all__ = ['MaskMetric', 'SeedMetric', 'TagMetric']
