"""Hooks: reproducible resuming, checkpoints that fit, seeds written while testing."""

from mmppc.hooks.checkpoint_fit_hook import CheckpointFitHook
from mmppc.hooks.random_state_hook import RandomStateHook
from mmppc.hooks.seed_generation_hook import SeedGenerationHook

__all__ = ['CheckpointFitHook', 'RandomStateHook', 'SeedGenerationHook']
