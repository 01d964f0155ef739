"""Running statistics that do not depend on which process is asked."""

from typing import Any

from mmengine.dist import all_reduce_params
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.nn.modules.batchnorm import _BatchNorm


@HOOKS.register_module()
class SyncNormsHook(Hook):
    """Averages the running statistics of batch norms over the ranks after each training iteration.

    Each rank sees its own pictures, but one's statistics are saved and all validate. MMEngine's ``SyncBuffersHook``
    averages before a validation, which comes after the checkpoint of that iteration. As statistics move linearly,
    averaging at each iteration is the same as doing it once at the end; beside the gradients it costs nothing.
    Batch norms at rest (``norm_eval``) are left alone.
    """

    priority = 'ABOVE_NORMAL'  # before what averages or saves weights

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        norms = [m for m in runner.model.modules() if isinstance(m, _BatchNorm) and m.training]
        statistics = [
            value for m in norms for value in (m.running_mean, m.running_var) if value is not None
        ]
        if statistics:
            all_reduce_params(statistics, op='mean')
