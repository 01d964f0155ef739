"""The parts set with the backbone that experiments on it start from."""

import os
import shutil
import sys
from pathlib import Path

import torch

from mmppc.datasets.toy import draw_toy_set
from mmppc.pipeline.stage_process import run_stage
from mmppc.storage.atomic import atomic_write
from mmppc.utils.checkpoint import find_latest_checkpoint, load_checkpoint
from mmppc.utils.places import project_folder

_PREFIX = 'backbone.'


def prepare_parts(root: str | os.PathLike) -> Path:
    """Draw the parts set into ``root`` and pretrain a backbone for it, unless they are there already.

    The set has 500 pictures for training and 200 for validation. Other 1600 pictures of the kind, in
    ``<root>/pretraining``, train the tag classifier of ``configs/pretrain_parts.py`` from scratch (some minutes on a
    CPU); an interrupted training goes on. Its backbone becomes ``<root>/backbone.pth``.

    Returns:
        ``root`` as a path.

    Raises:
        ValueError: The folder holds another toy set.
        FileExistsError: The folder holds anything else.
        ChildProcessError: The training failed.
    """
    folder = draw_toy_set(root, 500, 200, style='parts')
    backbone = folder / 'backbone.pth'
    if backbone.is_file():
        return folder
    pictures = folder / 'pretraining'
    draw_toy_set(pictures, 1600, 100, seed=1000, style='parts')
    work = folder / 'pretraining_work'
    project = project_folder()
    command = [sys.executable, str(project / 'tools' / 'train.py')]
    command += [str(project / 'configs' / 'pretrain_parts.py'), '--work-dir', str(work)]
    command += ['--no-validate', '--resume', '--cfg-options', f'data_root={pictures}']
    run_stage('pretraining of the parts set', command, work / 'stage.log')
    checkpoint = find_latest_checkpoint(work)
    if checkpoint is None:
        raise FileNotFoundError(f'the pretraining left no checkpoint in {work}')
    weights = load_checkpoint(checkpoint)['state_dict']
    kept = {name: value for name, value in weights.items() if name.startswith(_PREFIX)}
    with atomic_write(backbone, 'wb') as file:
        torch.save({'state_dict': kept}, file)
    shutil.rmtree(work)
    return folder
