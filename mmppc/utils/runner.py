"""What tools/train.py and tools/test.py share: from command line to MMEngine's Runner."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmppc.storage.atomic import atomic_write
from mmppc.utils.bound_process import end_rank_with_stage
from mmppc.utils.checkpoint import find_latest_checkpoint, load_checkpoint
from mmppc.utils.config_file import ConfigOptions, read_config
from mmppc.utils.environment import MMPRETRAIN, check_environment

# Where each launcher tells a process its rank, before there is a process group to ask.
RANKS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that training and testing have in common, after OpenMMLab's conventions."""
    parser.add_argument(
        '--work-dir', help='where logs and results go (default: work_dirs/<config>)'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help='override settings of the config, as in train_dataloader.batch_size=4',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run were started',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the arguments that training and testing have in common."""
    end_rank_with_stage()
    cfg = read_config(args.config, args.cfg_options, args.work_dir)
    if _names_scope(cfg, 'mmpretrain.'):
        check_environment((MMPRETRAIN,))
    prepare_launcher(cfg, args.launcher, args.local_rank)
    return cfg


def _names_scope(node: Any, scope: str) -> bool:
    """Whether a ``type`` anywhere below ``node`` starts with ``scope``."""
    if isinstance(node, dict):
        kind = node.get('type')
        if isinstance(kind, str) and kind.startswith(scope):
            return True
        return any(_names_scope(value, scope) for value in node.values())
    if isinstance(node, (list, tuple)):
        return any(_names_scope(value, scope) for value in node)
    return False


def prepare_launcher(cfg: Config, launcher: str, local_rank: int = 0) -> None:
    """Set the launcher, and make a distributed run work on CPUs, where MMEngine assumes GPUs."""
    cfg.launcher = launcher
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    if launcher == 'none' or torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise ValueError(
            f'--launcher {launcher} needs GPUs; on CPUs use --launcher pytorch (torchrun)'
        )
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR') if name not in os.environ]
    if missing:
        raise ValueError(
            f'--launcher pytorch needs the environment that torchrun sets; missing: {", ".join(missing)}'
        )
    cfg.env_cfg.dist_cfg = dict(backend='gloo')
    # MMEngine would select a CUDA device first, so the group is made here; the runner keeps one that exists.
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    wrapper = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = {**wrapper, **(cfg.get('model_wrapper_cfg') or {})}


def use_amp(cfg: Config) -> None:
    """Train with mixed precision."""
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            f"--amp replaces an optim_wrapper of type 'OptimWrapper', the config has {kind!r}"
        )
    if not torch.cuda.is_available():
        raise ValueError('--amp needs a GPU')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def use_auto_scale_lr(cfg: Config) -> None:
    """Scale the learning rate with the batch size."""
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise ValueError(
            '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config'
        )
    cfg.auto_scale_lr.enable = True


def use_resume(cfg: Config, resume: str | None) -> None:
    """Resume from a checkpoint, or for 'auto' from the latest of the work folder if there is one."""
    if resume is None:
        former = find_latest_checkpoint(cfg.work_dir)
        if former is not None and _is_first_rank(cfg):
            print(
                f'warning: {cfg.work_dir} holds checkpoints of an earlier training, the last is {former.name}. This '
                'one starts from the beginning and writes beside them; --resume would go on with the last one.',
                file=sys.stderr,
            )
        return
    if resume == 'auto':
        latest = find_latest_checkpoint(cfg.work_dir)
        if latest is None:
            if _is_first_rank(cfg):
                print(f'No checkpoint in {cfg.work_dir} yet: training starts from the beginning.')
            return
        resume = str(latest)
    elif not Path(resume).is_file():
        raise FileNotFoundError(f'checkpoint not found: {resume}')
    cfg.resume = True
    cfg.load_from = resume
    # MMEngine takes a stored seed too late for the order of the data, which is fixed when the sampler is built.
    if (cfg.get('randomness') or {}).get('seed') is None:
        seed = load_checkpoint(resume).get('meta', {}).get('seed')
        cfg.randomness = {**(cfg.get('randomness') or {}), 'seed': seed}


def _is_first_rank(cfg: Config) -> bool:
    """Whether this process speaks for all of a distributed run."""
    variable = RANKS.get(cfg.get('launcher', 'none'))
    return variable is None or os.environ.get(variable, '0') == '0'


def use_checkpoint_check(cfg: Config, *, strict: bool) -> None:
    """Refuse a checkpoint that does not fit, see :class:`mmppc.hooks.CheckpointFitHook`."""
    hooks = list(cfg.get('custom_hooks') or [])
    cfg.custom_hooks = [*hooks, dict(type='CheckpointFitHook', strict=strict)]


def use_show_dir(cfg: Config, folder: str) -> None:
    """Draw every prediction into ``folder``, of pictures with a finished seed too."""
    if cfg.get('launcher', 'none') != 'none':
        raise ValueError(
            f'--show-dir draws in one process, expected --launcher none, found {cfg.launcher}: the '
            'pictures of the other ranks would be missing'
        )
    hook = cfg.default_hooks.get('visualization')
    if hook is None:
        raise ValueError('--show-dir needs default_hooks.visualization in the config')
    hook.draw = True
    cfg.visualizer.save_dir = folder
    for item in [*(cfg.get('custom_hooks') or []), *cfg.default_hooks.values()]:
        if item and item['type'] in ('SeedGenerationHook', 'PseudoMaskHook'):
            item['overwrite'] = True  # it would leave only unfinished pictures to the test


def use_tta(cfg: Config) -> None:
    """Test with the augmentation that the config describes in ``tta_model`` and ``tta_pipeline``."""
    missing = [name for name in ('tta_model', 'tta_pipeline') if cfg.get(name) is None]
    if missing:
        raise ValueError(f'--tta needs {" and ".join(missing)} in the config')
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model


def build_runner(cfg: Config, as_read: Config | None = None) -> Runner:
    """The Runner of a config, or the class that its ``runner_type`` names.

    Args:
        cfg: The config.
        as_read: What to leave in the work folder, in place of ``cfg`` with what this one run changed in it.
    """
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    if as_read is not None and is_main_process():
        with atomic_write(Path(runner.work_dir) / Path(cfg.filename).name, 'w') as file:
            file.write(as_read.pretty_text)
    return runner
