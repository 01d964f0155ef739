"""A checkpoint of another network stops the run instead of being half loaded."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmppc.utils.checkpoint import check_checkpoint_fits


@HOOKS.register_module()
class CheckpointFitHook(Hook):
    """Compares a checkpoint with the model before MMEngine loads it, which by itself only warns.

    Args:
        strict: Refuse any missing or misshapen parameter, as for testing and resuming. Otherwise, as for fine-tuning
            with ``load_from``, refuse a checkpoint of which nothing fits.
    """

    def __init__(self, strict: bool = True) -> None:
        self.strict = strict

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        check_checkpoint_fits(
            runner.model, checkpoint, source=str(runner._load_from), strict=self.strict
        )
