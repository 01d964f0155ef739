"""Training that draws the same random numbers after an interruption as without it."""

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmppc.utils.randomness import seed_generators


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Seeds all generators before each training iteration from (seed, iteration, rank).

    The random state of an iteration is thus known without having been stored: a run that was killed and resumed
    draws the same dropout masks and samples as one that was not, on every rank, whether or not it validates in
    between. What the data pipeline draws is the business of ``SeededSampler``, which does the same for pictures.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        seed_generators(runner.seed, runner.iter, get_rank())
