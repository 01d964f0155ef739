"""What tools/train.py and tools/test.py share: from command line to MMEngine's Runner."""

import argparse
import inspect
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmseg.registry import METRICS

from mmppc.storage.atomic import atomic_write
from mmppc.utils.bound_process import end_rank_with_stage
from mmppc.utils.checkpoint import find_latest_checkpoint, load_checkpoint
from mmppc.utils.environment import MMPRETRAIN, check_environment

DEBUG = 'MMPPC_DEBUG'
FOLDERS = ('data_root', 'mask_dir', 'seed_dir', 'saliency_dir', 'tag_file', 'cache_dir')


class ConfigOptions(DictAction):
    """MMEngine's ``KEY=VALUE`` options, of which a text such as a path keeps its spaces and commas.

    By itself ``DictAction`` drops the spaces of every value and takes it apart at commas. Here a value with a space is
    a text unless it is a list, a tuple or a sequence of numbers; the paths of ``FOLDERS`` are texts as they stand.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        texts = {}
        others = []
        for item in values:
            key, separator, value = item.partition('=')
            if not separator:
                parser.error(f'{option_string}: found {item!r}, expected KEY=VALUE')
            spaced = ' ' in value and not re.fullmatch(r'[\[(].*[\])]|[-+.,\deE ]+', value)
            if key in FOLDERS or spaced:
                texts[key] = value
            else:
                others.append(item)
        super().__call__(parser, namespace, others, option_string)
        getattr(namespace, self.dest).update(texts)


def parse_options(items: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` items as :class:`ConfigOptions` reads them.

    Raises:
        ValueError: An item has no ``=``.
    """
    wrong = [item for item in items if '=' not in item]
    if wrong:
        raise ValueError(f'option {wrong[0]!r}: expected KEY=VALUE')
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='*', action=ConfigOptions, default={})
    return parser.parse_args(['--options', *items]).options if items else {}


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


@contextmanager
def user_errors() -> Iterator[None]:
    """End with one clear message and exit code 2 on an error of the input, not with a stack trace.

    ``MMPPC_DEBUG=1`` keeps the stack trace.
    """
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        if os.environ.get(DEBUG, '0') not in ('', '0'):
            raise
        print(f'error: {_message(error)}', file=sys.stderr)
        print(f'(set {DEBUG}=1 to see where it was raised)', file=sys.stderr)
        raise SystemExit(2) from None


def _message(error: BaseException) -> str:
    """The message itself, when a worker of the data loader has put its stack trace around it."""
    text = str(error).strip()
    if 'Original Traceback' in text:
        text = re.split(rf'^(?:[\w.]+\.)?{type(error).__name__}: ', text, flags=re.MULTILINE)[-1]
    return text.strip() or type(error).__name__


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the arguments that training and testing have in common."""
    end_rank_with_stage()
    cfg = read_config(args.config, args.cfg_options, args.work_dir)
    if _names_scope(cfg, 'mmpretrain.'):
        check_environment((MMPRETRAIN,))
    prepare_launcher(cfg, args.launcher, args.local_rank)
    return cfg


def read_config(
    path: str, options: dict[str, Any] | None = None, work_dir: str | None = None
) -> Config:
    """Read a config, override settings, and set its work folder (default: ``work_dirs/<config>``).

    A path that the config names at its top (``data_root``, ``mask_dir``, ``seed_dir``, ``saliency_dir``,
    ``tag_file``, ``cache_dir``) is a part of other settings too; overriding it moves them all.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'config not found: {path}')
    cfg = Config.fromfile(path)
    options = options or {}
    for name in FOLDERS:
        if name in options and name in cfg:
            moved = _moved(cfg._cfg_dict.to_dict(), cfg[name], str(options[name]))
            cfg = Config(moved, filename=cfg.filename)
    cfg.merge_from_dict(options)
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(path).stem)
    return cfg


def _moved(node: Any, old: str, new: str) -> Any:
    """``node`` with every path at or below the folder ``old`` moved to ``new``."""
    if isinstance(node, dict):
        return {key: _moved(value, old, new) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(_moved(value, old, new) for value in node)
    if isinstance(node, str) and (node == old or node.startswith(f'{old}/')):
        return new + node[len(old) :]
    return node


def use_reports(cfg: Config, conditions: dict[str, Any]) -> None:
    """Have the metrics that can do so write their reports, with the conditions, to the work folder.

    A metric without a ``split`` takes that of the first one that names it.
    """
    evaluators = _evaluators(cfg)
    split = next((item['split'] for item in evaluators if item.get('split')), None)
    for item in evaluators:
        if split is not None and metric_takes(item, 'split'):
            item.setdefault('split', split)
        if metric_takes(item, 'out_dir') and item.get('out_dir') is None:
            item['out_dir'] = cfg.work_dir
        if metric_takes(item, 'conditions'):
            item['conditions'] = {**conditions, **(item.get('conditions') or {})}


def augmentation(pipeline: list[dict]) -> dict[str, Any]:
    """Scales and flip of a test pipeline, with or without ``TestTimeAug``.

    Returns:
        ``scales`` relative to the picture's own size, or ``long_sides`` in pixels, and ``flip``.
    """
    transforms = list(_transforms(pipeline))
    resizes = [item for item in transforms if item['type'] in ('Resize', 'ResizeByScale')]
    values = [item.get('scale_factor') or item.get('scale') for item in resizes] or [1.0]
    fixed = [max(value) for value in values if isinstance(value, (list, tuple))]
    flip = any(item['type'] == 'RandomFlip' and item.get('prob') for item in transforms)
    return dict(long_sides=fixed, flip=flip) if fixed else dict(scales=values, flip=flip)


def _transforms(node: Any) -> Iterator[dict]:
    """All transforms of a pipeline, those inside of others too."""
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from _transforms(item)
    elif isinstance(node, dict):
        yield node
        yield from _transforms(node.get('transforms'))


def _evaluators(cfg: Config) -> list[dict]:
    """The metrics of the test, however the config gives them."""
    evaluators = cfg.get('test_evaluator') or []
    return list(evaluators) if isinstance(evaluators, (list, tuple)) else [evaluators]


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


def check_crops(cfg: Config) -> None:
    """Refuse crops that the preprocessor would pad to its own size: the padding would be trained on as a picture.

    Raises:
        ValueError: A ``RandomCropPad`` of the training is smaller than the ``size`` of the ``data_preprocessor``.
    """
    size = (cfg.model.get('data_preprocessor') or {}).get('size')
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    crops = [
        item['crop_size']
        for item in _transforms(dataset.get('pipeline'))
        if item['type'] == 'RandomCropPad'
    ]
    if size is None or not crops:
        return
    crop = crops[-1]
    sides = (crop, crop) if isinstance(crop, int) else crop
    if any(side < padded for side, padded in zip(sides, size)):
        raise ValueError(
            f'train_dataloader.dataset.pipeline: RandomCropPad.crop_size={crop} is smaller than '
            f'model.data_preprocessor.size={tuple(size)}, to which crops would be padded; set both alike'
        )


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
        if former is not None:
            print(
                f'warning: {cfg.work_dir} holds checkpoints of an earlier training, the last is {former.name}. This '
                'one starts from the beginning and writes beside them; --resume would go on with the last one.',
                file=sys.stderr,
            )
        return
    if resume == 'auto':
        latest = find_latest_checkpoint(cfg.work_dir)
        if latest is None:
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


def use_out_dir(cfg: Config, folder: str) -> None:
    """Have the metrics that can do so write the predictions to ``folder``, or else a further one."""
    evaluators = _evaluators(cfg)
    able = [item for item in evaluators if metric_takes(item, 'output_dir')]
    for item in able:
        item['output_dir'] = folder
    if not able:
        writer = dict(type='MaskMetric', output_dir=folder, format_only=True)
        cfg.test_evaluator = [*evaluators, writer]


def metric_takes(cfg: dict, argument: str) -> bool:
    """Whether the constructor of a metric, given by its config, names ``argument``."""
    kind = cfg.get('type')
    metric = METRICS.get(kind) if isinstance(kind, str) else kind
    return metric is not None and argument in inspect.signature(metric.__init__).parameters


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
