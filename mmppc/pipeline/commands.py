"""The command lines of stages."""

from __future__ import annotations

import sys
from pathlib import Path

from mmppc.pipeline.definition import Stage
from mmppc.pipeline.plan import Threshold


def stage_command(
    stage: Stage,
    tools: Path,
    config: Path,
    folder: Path,
    *,
    checkpoint: Path | None = None,
    seeds: str | None = None,
    threshold: Threshold | None = None,
    gpus: int = 1,
) -> list[str]:
    """Program and arguments of a stage.

    Args:
        stage: What is done.
        tools: Folder of ``train.py``, ``test.py`` and ``make_masks.py``.
        config: Resolved config.
        folder: Work folder.
        checkpoint: Of the training, for a test.
        seeds: Folder of the seeds, for masks.
        threshold: For masks.
        gpus: Processes of trainings and tests, started by torchrun if there are several.
    """
    work = ['--work-dir', str(folder)]
    if stage.do == 'masks':
        arguments = [str(config), '--seeds', str(seeds), '--out', str(folder / 'masks'), *work]
        if threshold is not None and threshold.report is not None:
            arguments += ['--threshold-from', str(threshold.report)]
        elif threshold is not None:
            arguments += ['--threshold', f'{threshold.value:g}']
        return [sys.executable, str(tools / 'make_masks.py'), *arguments]
    if stage.do == 'train':
        script, arguments = 'train.py', [str(config), *work, '--no-validate', '--resume']
    else:
        script, arguments = 'test.py', [str(config), str(checkpoint), *work]
        arguments += ['--tta'] if stage.tta else []
        arguments += ['--out', str(folder / 'predictions')] if stage.predictions else []
    if gpus == 1:
        return [sys.executable, str(tools / script), *arguments]
    launch = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={gpus}']
    return [sys.executable, *launch, str(tools / script), *arguments, '--launcher', 'pytorch']
