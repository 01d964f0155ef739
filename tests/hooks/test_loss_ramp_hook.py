"""LossRampHook: its factor at each iteration, resumed or not, and what a factor of 0 means."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmppc.datasets import draw_toy_set
from mmppc.hooks import LossRampHook
from mmppc.hooks.loss_ramp_hook import ramp
from mmppc.utils.model_digest import weights_digest
from tests.hooks.cam_training import config, train


@pytest.fixture(scope='module')
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_toy_set(tmp_path_factory.mktemp('ramp') / 'toy', num_train=5, num_val=2, size=64)


def hook(begin: float, end: float) -> dict:
    return dict(type='LossRampHook', loss='contrast', begin=begin, end=end)


class Record(Hook):
    """What each iteration's loss came to."""

    def __init__(self) -> None:
        self.losses: dict[int, dict[str, float]] = {}
        self.scales: dict[int, float] = {}
        self.first: float | None = None

    def before_train(self, runner: Runner) -> None:
        self.first = runner.model.loss_scales['contrast']

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.scales[runner.iter] = runner.model.loss_scales['contrast']
        self.losses[runner.iter] = {key: float(value.detach()) for key, value in outputs.items()}


def recorded(cfg) -> tuple[Record, Runner]:
    record, runner = Record(), Runner.from_cfg(cfg)
    runner.register_hook(record)
    runner.train()
    return record, runner


def test_the_factor_of_each_iteration() -> None:
    assert [ramp(k, 10, 0.2, 0.6) for k in range(10)] == [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1]
    assert [ramp(k, 4, 0.5, 0.5) for k in range(4)] == [0, 0, 1, 1]
    assert [ramp(k, 3, 0.0, 0.0) for k in range(3)] == [1, 1, 1]
    assert [ramp(k, 4, 0.0, 1.0) for k in range(4)] == [0, 0.25, 0.5, 0.75]
    assert [ramp(k, 3, 1.0, 1.0) for k in range(3)] == [0, 0, 0]
    assert ramp(300, 1000, 0.3, 0.3) == 1  # 0.3 * 1000 is a little below 300, 0.29 * 100 is too
    assert ramp(28, 100, 0.29, 0.29) == 0
    assert ramp(29, 100, 0.29, 0.29) == 1


def test_the_same_factors_after_an_interruption(toy: Path, tmp_path: Path) -> None:
    checkpoints = dict(
        logger=dict(type='LoggerHook', interval=1),
        checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
    )
    whole, _ = recorded(
        config(toy, tmp_path, 4, [hook(0.25, 1.0)], default_hooks=checkpoints, resume=False)
    )
    assert [whole.scales[k] for k in range(4)] == pytest.approx([0, 0, 1 / 3, 2 / 3])
    assert whole.first == 0  # for hooks that look before the first iteration
    for k, losses in whole.losses.items():
        for name in ('loss_cross_prototype', 'loss_cross_cam', 'loss_intra'):
            assert (losses[name] > 0) == (k > 1), (k, name)
        assert losses['loss_tags'] > 0
    rest, _ = recorded(
        config(toy, tmp_path / 'rest', 4, [hook(0.25, 1.0)], resume=True,
               load_from=str(tmp_path / 'iter_2.pth'))
    )  # fmt: skip
    assert rest.scales == {k: whole.scales[k] for k in (2, 3)}
    assert rest.first == whole.scales[2]


def test_from_the_start_it_is_no_hook_and_never_it_is_no_contrast(
    toy: Path, tmp_path: Path
) -> None:
    plain = train(config(toy, tmp_path / 'plain', 3))
    always = train(config(toy, tmp_path / 'always', 3, [hook(0.0, 0.0)]))
    assert weights_digest(always.model) == weights_digest(plain.model)
    # The contrast draws random numbers, which must not shift those of the next iteration.
    draws = dict(type='RandomStateHook')
    never = train(config(toy, tmp_path / 'never', 3, [hook(1.0, 1.0), draws]))
    cfg = config(toy, tmp_path / 'without', 3, [draws])
    cfg.model.losses.contrast = None
    without = train(cfg)
    for name, value in without.model.state_dict().items():
        assert torch.equal(never.model.state_dict()[name], value), name
    # The contrast reaches the backbone, so the comparison can fail.
    with_contrast = train(config(toy, tmp_path / 'with', 3, [draws]))
    assert weights_digest(never.model) != weights_digest(with_contrast.model)


def test_wrong_settings_are_refused(toy: Path, tmp_path: Path) -> None:
    for begin, end in ((-0.1, 0.5), (0.5, 0.2), (0.0, 1.5)):
        with pytest.raises(ValueError, match=f'begin={begin}, end={end}, expected 0 <= begin'):
            LossRampHook('contrast', begin, end)
    with pytest.raises(ValueError, match=r"'contras', expected one of .*'contrast', 'tags'"):
        train(config(toy, tmp_path, 1, [dict(type='LossRampHook', loss='contras')]))
    with pytest.raises(ValueError, match="2 hooks ramp 'contrast', expected one"):
        train(config(toy, tmp_path, 1, [hook(0, 0), hook(0, 1)]))
    with pytest.raises(ValueError, match='the model is a Linear, expected a CAMSegmentor'):
        LossRampHook().before_train(SimpleNamespace(model=torch.nn.Linear(1, 1)))


def run_rank(rank: int, root: str, folder: str) -> None:
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = str(rank)  # MMEngine asks for it
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    # Every parameter that trains must have a gradient at each iteration, else this wrapper stops.
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    cfg = config(
        Path(root), Path(folder, 'work'), 4, [hook(0.5, 0.5), dict(type='SyncNormsHook')], launcher='pytorch',
        model_wrapper_cfg=wrapper, experiment_name=f'ramp{rank}',
    )  # fmt: skip
    runner = train(cfg)
    Path(folder, str(rank)).write_text(weights_digest(runner.model.module), encoding='utf-8')
    dist.destroy_process_group()


@pytest.mark.slow
def test_no_parameter_is_unused_in_two_processes(toy: Path, tmp_path: Path) -> None:
    mp.spawn(run_rank, args=(str(toy), str(tmp_path)), nprocs=2)
    digests = [(tmp_path / str(rank)).read_text(encoding='utf-8') for rank in range(2)]
    assert digests[0] == digests[1]
