"""Data with other classes than the network's stop the run before its first picture."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch.utils.data import DataLoader

from mmppc.utils.checkpoint import unwrap_model


@HOOKS.register_module()
class ClassCountHook(Hook):
    """Compares the classes of the data, background included, with ``num_classes`` of the model's ``decode_head``.

    By itself a segmentor ends in an ``IndexError`` when there are more, and says nothing when there are fewer.

    Raises:
        ValueError: Before training, validation or testing, if the numbers differ.
    """

    def before_train(self, runner: Runner) -> None:
        _check(runner, runner.train_dataloader, 'train')

    def before_val(self, runner: Runner) -> None:
        _check(runner, runner.val_dataloader, 'val')

    def before_test(self, runner: Runner) -> None:
        _check(runner, runner.test_dataloader, 'test')


def _check(runner: Runner, loader: DataLoader, split: str) -> None:
    head = getattr(unwrap_model(runner.model), 'decode_head', None)
    expected = getattr(head, 'num_classes', None)
    classes = getattr(loader.dataset, 'metainfo', {}).get('classes')
    if expected is None or classes is None or len(classes) == expected:
        return
    raise ValueError(
        f'{split}_dataloader.dataset has {len(classes)} classes ({", ".join(classes)}), the model has '
        f'{expected}: set model.decode_head.num_classes={len(classes)}, or give the dataset the '
        'classes that the model knows'
    )
