"""One GPU for each of several runs at once."""

import threading

import pytest
import torch

from mmppc.pipeline.gpu_shares import GPUShares, visible_gpus


def test_each_run_has_a_gpu_of_its_own_and_gives_it_back() -> None:
    shares = GPUShares(2, ['0', '3'])
    with shares.lend() as first, shares.lend() as second:
        names = {share['CUDA_VISIBLE_DEVICES'] for share in (first, second)}
        assert names == {'0', '3'}
        third: list[str] = []
        waiting = threading.Thread(target=lambda: third.append(_lent(shares)))
        waiting.start()
        waiting.join(0.05)
        assert third == []
    waiting.join()
    assert third[0] in names


def _lent(shares: GPUShares) -> str:
    with shares.lend() as share:
        return share['CUDA_VISIBLE_DEVICES']


def test_more_jobs_than_gpus_share_them() -> None:
    shares = GPUShares(4, ['0', '1'])
    with shares.lend() as a, shares.lend() as b, shares.lend() as c, shares.lend() as d:
        assert sorted(share['CUDA_VISIBLE_DEVICES'] for share in (a, b, c, d)) == [*'0011']


@pytest.mark.parametrize('gpus', [[], ['0']])
def test_one_gpu_or_none_leaves_the_environment(gpus: list[str]) -> None:
    with GPUShares(2, gpus).lend() as share:
        assert share == {}


def test_gpus_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 3)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    assert visible_gpus() == ['0', '1', '2']
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', 'GPU-a, 5')
    assert visible_gpus() == ['GPU-a', '5']
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    assert visible_gpus() == []
