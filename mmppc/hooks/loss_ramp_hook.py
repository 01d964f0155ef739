"""A loss that comes in slowly, or late."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmppc.models.segmentors import CAMSegmentor
from mmppc.utils.checkpoint import unwrap_model


def ramp(iteration: int, max_iters: int, begin: float, end: float) -> float:
    """Factor of a loss: 0 before ``begin``, then rising linearly to 1 at ``end`` and 1 from there on.

    Args:
        iteration: Iterations done, from 0.
        max_iters: Iterations of the training.
        begin: Share of the training, in [0, 1]; rounded to whole iterations, as ``end``.
        end: At least ``begin``. If both fall on the same iteration, the factor jumps there.

    Examples:
        >>> [ramp(k, 10, 0.2, 0.6) for k in (0, 2, 3, 6, 9)]
        [0.0, 0.0, 0.25, 1.0, 1.0]
    """
    first, last = round(begin * max_iters), round(end * max_iters)
    if iteration >= last:
        return 1.0
    return max(iteration - first, 0) / (last - first) if last > first else 0.0


@HOOKS.register_module()
class LossRampHook(Hook):
    """Multiplies all terms of a loss of :class:`CAMSegmentor` by a factor that rises from 0 to 1.

    The factor depends on the iteration only, so a resumed training goes on as if it had not stopped. The terms are
    computed from the start, and logged with the factor: while it is 0 they change nothing but let weight decay act on
    what they alone train, as a gradient of zero does. Once the factor is 1 the training is the usual one.

    Args:
        loss: Name in the segmentor's ``losses``.
        begin: Where the factor starts to rise, as share of the training's iterations, in [0, 1].
        end: Where it reaches 1, in [``begin``, 1].

    Raises:
        ValueError: If ``begin`` and ``end`` are out of range; before training, if the network is no ``CAMSegmentor``,
            has no such loss, or another hook ramps it.

    Examples:
        >>> hook = LossRampHook(loss='contrast', begin=0.1, end=0.3)
    """

    def __init__(self, loss: str = 'contrast', begin: float = 0.0, end: float = 0.0) -> None:
        if not 0 <= begin <= end <= 1:
            raise ValueError(
                f'LossRampHook: begin={begin}, end={end}, expected 0 <= begin <= end <= 1'
            )
        self.loss = loss
        self.begin = begin
        self.end = end

    def before_train(self, runner: Runner) -> None:
        """Look whether the loss is there, and set its first factor for those who look before the first iteration."""
        network = unwrap_model(runner.model)
        if not isinstance(network, CAMSegmentor):
            raise ValueError(
                f'LossRampHook: the model is a {type(network).__name__}, expected a CAMSegmentor'
            )
        if self.loss not in network.losses:
            raise ValueError(
                f'LossRampHook: loss={self.loss!r}, expected one of model.losses: {sorted(network.losses)}'
            )
        others = [h for h in runner.hooks if isinstance(h, LossRampHook) and h.loss == self.loss]
        if len(others) > 1:
            raise ValueError(f'LossRampHook: {len(others)} hooks ramp {self.loss!r}, expected one')
        self._set_factor(runner, network)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the factor of this iteration."""
        network = unwrap_model(runner.model)
        assert isinstance(network, CAMSegmentor)
        self._set_factor(runner, network)

    def _set_factor(self, runner: Runner, network: CAMSegmentor) -> None:
        network.loss_scales[self.loss] = ramp(runner.iter, runner.max_iters, self.begin, self.end)
