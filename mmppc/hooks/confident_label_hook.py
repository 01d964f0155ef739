"""Confident labels made before the network that learns from them is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from mmppc.datasets.voc import voc_palette
from mmppc.refinement.confident_labels import make_confident_labels
from mmppc.refinement.records import picture_records


@HOOKS.register_module()
class ConfidentLabelHook(Hook):
    """Makes what confident labels of the training pictures are missing, before training.

    Labels that are finished and newer than their seeds stay, those of other settings or of other
    seeds are refused; ``labels.json`` in the folder says how they were made and what they hold. Each
    rank makes its share. See :func:`~mmppc.refinement.make_confident_labels`, also for the defaults of the settings.

    Args:
        seed_dir: Folder of the seeds of the training pictures.
        kind: ``'psa'`` (AffinityNet) or ``'irn'``.
        label_dir: Folder of the labels; None for ``labels`` in the runner's work folder. Transforms of the training
            pipeline whose own ``label_dir`` is None get to know it.
        low: For ``'psa'``, the larger background, ``dict(alpha=...)`` or ``dict(constant=...)``.
        high: For ``'psa'``, the smaller one.
        fg_threshold: For ``'irn'``, background score of the map whose foreground is sure.
        bg_threshold: For ``'irn'``, that of the map whose background is sure.
        crf: Preset of the dense CRF.
        workers: Processes of each rank; None for one a CPU, 0 for none.

    Raises:
        FileNotFoundError: Before training, if pictures have no seed.
        FileExistsError: If the folder holds labels of other settings or seeds, or of another origin.
        ValueError: If a setting, a seed or a picture is not as expected, or the dataset gives no ``sample_id``.
    """

    def __init__(
        self,
        seed_dir: str,
        kind: str,
        label_dir: str | None = None,
        low: Mapping[str, float] | None = None,
        high: Mapping[str, float] | None = None,
        fg_threshold: float | None = None,
        bg_threshold: float | None = None,
        crf: str | None = None,
        workers: int | None = None,
    ) -> None:
        self.seed_dir = seed_dir
        self.label_dir = label_dir
        self.kind = kind
        given = {
            'low': low,
            'high': high,
            'fg_threshold': fg_threshold,
            'bg_threshold': bg_threshold,
            'crf': crf,
        }
        self.settings: dict[str, Any] = {
            name: value for name, value in given.items() if value is not None
        }
        self.workers = workers
        self._former_stream: Any = None

    def before_train(self, runner: Runner) -> None:
        """Make the missing labels; the other ranks wait for the last."""
        loader = runner.train_dataloader
        folder = Path(self.label_dir or Path(runner.work_dir) / 'labels')
        told = _tell(loader.dataset.pipeline, folder)
        info = loader.dataset.metainfo
        num_classes = len(info['classes'])
        report = make_confident_labels(
            picture_records(loader.dataset),
            seed_dir=self.seed_dir,
            label_dir=folder,
            kind=self.kind,
            num_classes=num_classes,
            palette=info.get('palette') or voc_palette(num_classes),
            workers=self.workers,
            progress=True,
            **self.settings,
        )
        print_log(describe(report, folder), logger='current')
        if report['written'] or told:
            self._former_stream = _restart_loading(runner.train_loop)


def describe(report: Mapping[str, Any], folder: Path) -> str:
    """The report in a sentence."""
    text = (
        f'labels of {report["pictures"]} pictures in {folder} ({report["written"]} made now): '
        f'{report["background"]} % of the pixels background, {report["foreground"]} % foreground, '
        f'{report["unsure"]} % unsure'
    )
    if report['accuracy'] is None:
        return text
    return f'{text}; {report["accuracy"]} % of the sure ones are right'


def _tell(pipeline: Any, folder: Path) -> bool:
    """Give the folder to the transforms that wait for it; whether there were any."""
    waiting = [
        step
        for step in getattr(pipeline, 'transforms', ())
        if getattr(step, 'label_dir', folder) is None
    ]
    for step in waiting:
        step.label_dir = folder
    return bool(waiting)


def _restart_loading(loop: Any) -> Any:
    """Forget what was loaded ahead, without labels or their folder: MMEngine 0.10.7 starts to load with the loop.

    Returns:
        What has to be kept: the stream of MMEngine's ``InfiniteSampler`` ends for good with its first iterator.
    """
    ahead = getattr(loop, 'dataloader_iterator', None)
    if ahead is None:
        return None
    former = getattr(getattr(ahead, '_iterator', None), '_sampler_iter', None)
    # Persistent workers would go on with the pipeline they were started with.
    loop.dataloader._iterator = None
    loop.dataloader_iterator = type(ahead)(loop.dataloader)
    return former
