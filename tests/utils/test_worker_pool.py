"""Worker processes: results, errors, and ends of every kind."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

import mmppc
from mmppc.utils.worker_pool import WorkerPool, default_workers, result_of

SCRIPT = """
    import sys, time, types
    from pathlib import Path
    # The package without its registrations: nothing here needs them, and they take seconds to import.
    package = sys.modules['mmppc'] = types.ModuleType('mmppc')
    package.__path__ = [sys.argv[2]]
    from mmppc.storage import atomic_write
    from mmppc.utils.worker_pool import WorkerPool

    def work(number):
        with atomic_write(Path(sys.argv[1]) / f'{number}.txt', 'w') as file:
            file.write('whole')
            file.flush()
            time.sleep(0.01 if number < 4 else 600)
        return number

    if __name__ == '__main__':
        with WorkerPool(2) as pool:
            for _ in pool.imap(work, range(1000)):
                pass
"""


def describe(number):
    import torch

    if number == 13:
        raise ValueError('unlucky')
    if number == 14:
        os._exit(1)
    return number, os.getpid(), torch.get_num_threads()


def endless():
    number = 0
    while True:
        yield number
        number += 1


def test_default_is_the_cpus_at_hand(monkeypatch):
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)
    assert 1 <= default_workers() <= os.cpu_count()


@pytest.mark.parametrize(('ranks', 'workers'), [(1, 8), (2, 4), (3, 2), (16, 1)])
def test_ranks_of_a_machine_share_its_cpus(monkeypatch, ranks, workers):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(8)), raising=False)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', str(ranks))
    assert default_workers() == workers


@pytest.fixture(scope='module')
def pool():
    with WorkerPool(1) as pool:
        yield pool


def test_results_of_processes_with_one_thread_each(pool):
    found = sorted(pool.imap(describe, range(10), chunk=3))
    assert result_of(pool.submit(describe, 12))[0] == 12
    assert [number for number, _, _ in found] == list(range(10))
    assert os.getpid() not in {process for _, process, _ in found}
    assert {threads for _, _, threads in found} == {1}
    with pytest.raises(ValueError, match='unlucky'):
        list(pool.imap(describe, [11, 13]))


def test_work_in_flight_is_bounded(pool):
    seen = []

    def numbers():
        for number in endless():
            seen.append(number)
            yield number % 10

    results = pool.imap(describe, numbers(), chunk=2)
    next(results)
    assert len(seen) == 4
    results.close()


def test_a_dying_worker_is_reported():
    with pytest.raises(ChildProcessError, match='use fewer workers'), WorkerPool(1) as pool:
        list(pool.imap(describe, [14]))


def test_no_processes():
    with WorkerPool(0) as pool:
        assert [number for number, _, _ in pool.imap(describe, [1, 2])] == [1, 2]
        assert result_of(pool.submit(describe, 3))[1] == os.getpid()
        with pytest.raises(ValueError, match='unlucky'):
            result_of(pool.submit(describe, 13))
    with pytest.raises(ValueError, match='workers=-1'):
        WorkerPool(-1)


@pytest.mark.skipif(os.name != 'posix', reason='process groups')
@pytest.mark.parametrize('how', ['terminal', 'alone', 'killed'])
def test_ends_at_once_and_leaves_whole_files(tmp_path, how):
    script, folder = tmp_path / 'script.py', tmp_path / 'out'
    script.write_text(textwrap.dedent(SCRIPT))
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), *mmppc.__path__],
        start_new_session=True,
        # A test started in the background would hand down that Ctrl-C is to be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    wait_until(
        lambda: len(list(folder.glob('*.tmp'))) == 2 and len(list(folder.glob('*.txt'))) == 4
    )
    if how == 'terminal':
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT if how == 'alone' else signal.SIGKILL)
    assert process.wait(20) != 0
    wait_until(lambda: not group_is_alive(process.pid))
    assert sorted(path.name for path in folder.iterdir()) == [f'{n}.txt' for n in range(4)]
    assert {path.read_text() for path in folder.iterdir()} == {'whole'}


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def group_is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
