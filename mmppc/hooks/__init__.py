"""Hooks: reproducible resuming, what fits what, ranks in step, the training's losses, files written meanwhile."""

from mmppc.hooks.cam_overlay_hook import CAMOverlayHook
from mmppc.hooks.checkpoint_fit_hook import CheckpointFitHook
from mmppc.hooks.class_count_hook import ClassCountHook
from mmppc.hooks.confident_label_hook import ConfidentLabelHook
from mmppc.hooks.contrast_quality_hook import ContrastQualityHook
from mmppc.hooks.loss_ramp_hook import LossRampHook
from mmppc.hooks.mean_displacement_hook import MeanDisplacementHook
from mmppc.hooks.pseudo_mask_hook import PseudoMaskHook
from mmppc.hooks.random_state_hook import RandomStateHook
from mmppc.hooks.seed_generation_hook import SeedGenerationHook
from mmppc.hooks.sync_norms_hook import SyncNormsHook

__all__ = [
    'CAMOverlayHook',
    'CheckpointFitHook',
    'ClassCountHook',
    'ConfidentLabelHook',
    'ContrastQualityHook',
    'LossRampHook',
    'MeanDisplacementHook',
    'PseudoMaskHook',
    'RandomStateHook',
    'SeedGenerationHook',
    'SyncNormsHook',
]
