"""A stage as a process of its own: its steps, its log, its failure, its end with the parent."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from mmppc.pipeline import folder_lock as locks
from mmppc.pipeline.folder_lock import folder_lock, lock_holder
from mmppc.pipeline.progress import StageBars
from mmppc.pipeline.stage_process import run_stage
from mmppc.utils import bound_process
from mmppc.utils.user_errors import user_errors

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    'line',
    ['Iter(train) [ 3/12]  lr: 0.1', '12:00 - INFO - masks 3/12', '12:00 - INFO - labels 3/12'],
)
def test_steps_of_the_log_are_told(tmp_path, line):
    command = [sys.executable, '-c', f'print("9 of 12 masks to make"); print({line!r})']
    steps = []
    log = tmp_path / 'logs' / 'a.log'
    run_stage('title', command, log, on_step=lambda *step: steps.append(step))
    assert steps == [(3, 12)]
    assert log.read_text() == f'9 of 12 masks to make\n{line}\n'
    run_stage('title', [sys.executable, '-c', 'print(1)'], log)
    assert log.read_text().endswith('masks to make\n' + line + '\n1\n')  # a second start adds to it


def test_failure_is_one_message_with_the_last_lines(tmp_path, capfd):
    command = [sys.executable, '-c', 'print("what went wrong"); raise SystemExit(3)']
    with pytest.raises(ChildProcessError, match='title: the command ended with code 3'):
        run_stage('title', command, tmp_path / 'a.log')
    with pytest.raises(SystemExit), user_errors():
        run_stage('title', command, tmp_path / 'a.log')
    error = capfd.readouterr().err
    assert 'what went wrong' in error
    assert 'Traceback' not in error


def test_bars_on_a_terminal_and_lines_elsewhere(tmp_path):
    command = [sys.executable, '-c', 'print("Iter(train) [6/12]"); print("Iter(train) [12/12]")']
    for terminal in (False, True):
        text = io.StringIO()
        console = Console(file=text, force_terminal=terminal, width=100, highlight=False)
        with StageBars(4, 1, console=console) as bars:
            bars.run('train it', command, tmp_path / 'a.log')
        found = text.getvalue()
        assert '2/4 train it: done in' in found
        assert ('2/4 train it: 6/12' in found) == (not terminal)
        assert ('all stages' in found) == terminal


@pytest.mark.skipif(sys.platform != 'linux', reason='the kernel ends the child on Linux only')
def test_a_stage_has_variables_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv('OF_ALL', 'kept')
    monkeypatch.setenv('OF_ONE', 'before')
    code = 'import os; print(os.environ["OF_ALL"], os.environ["OF_ONE"])'
    with StageBars(console=Console(file=io.StringIO())) as bars:
        bars.run('one', [sys.executable, '-c', code], tmp_path / 'a.log', variables={'OF_ONE': '3'})
    assert (tmp_path / 'a.log').read_text() == 'kept 3\n'
    assert os.environ['OF_ONE'] == 'before'


def test_a_stage_ends_with_the_process_that_started_it(tmp_path):
    script = tmp_path / 'parent.py'
    script.write_text(
        'import sys\n'
        'from pathlib import Path\n'
        'from mmppc.pipeline.stage_process import run_stage\n'
        'code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"\n'
        f'run_stage("stage", [sys.executable, "-c", code], Path({str(tmp_path / "a.log")!r}))\n'
    )
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    try:
        child = int(_when(lambda: (tmp_path / 'a.log').read_text().strip()))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert _when(lambda: not Path(f'/proc/{child}').exists() or _is_zombie(child))


RANK = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import bound_process
bound_process.end_rank_with_stage()
with open(os.path.join(sys.argv[2], os.environ['RANK']), 'w') as file:
    file.write(str(os.getpid()))
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='the kernel ends the child on Linux only')
def test_what_torchrun_started_ends_with_it(tmp_path):
    (tmp_path / 'rank.py').write_text(RANK)
    bound = Path(bound_process.__file__)
    command = [
        sys.executable, str(bound), str(os.getpid()), sys.executable, '-m', 'torch.distributed.run', '--standalone',
        '--nproc_per_node=2', str(tmp_path / 'rank.py'), str(bound.parent), str(tmp_path),
    ]  # fmt: skip
    agent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ranks = [int(_when((tmp_path / name).read_text)) for name in '01']
    finally:
        agent.send_signal(signal.SIGKILL)
        agent.wait()
    for rank in ranks:
        assert _when(lambda rank=rank: not Path(f'/proc/{rank}').exists() or _is_zombie(rank))


def _is_zombie(process: int) -> bool:
    return Path(f'/proc/{process}/stat').read_text().rsplit(')', 1)[1].split()[0] == 'Z'


def _when(look):
    """What ``look`` finds, waiting for it."""
    for _ in range(1200):
        try:
            found = look()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError('waited in vain')


def test_a_locked_folder_is_refused_with_the_process_that_holds_it(tmp_path):
    path = tmp_path / 'work' / 'lock'
    with folder_lock(path, 'the folder') as descriptors:
        assert len(descriptors) == 1
        code = (
            'import sys; from pathlib import Path\n'
            'from mmppc.pipeline.folder_lock import folder_lock\n'
            'try:\n'
            '    with folder_lock(Path(sys.argv[1]), "the folder", patience=0.1): print("free")\n'
            'except BlockingIOError as error: print(error)\n'
        )
        command = [sys.executable, '-c', code, str(path)]
        environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
        held = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert (
            f'the folder: another process (started by process {os.getpid()}) works on it'
            in held.stdout
        )
        assert lock_holder(path) == f'another process (started by process {os.getpid()})'
    assert lock_holder(path) is None
    free = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert free.stdout.strip() == 'free'


@pytest.mark.skipif(locks.fcntl is None, reason='there is no lock on Windows')
def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    def refuse(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, 'flock', refuse)
    message = r'the folder: its file system does not lock files \(No locks available\).*--work-dir'
    with pytest.raises(OSError, match=message), folder_lock(tmp_path / 'lock', 'the folder'):
        pass
    assert lock_holder(tmp_path / 'lock') is None


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / 'file').touch()
    with (
        pytest.raises(OSError, match=r'the folder: cannot be written \(.*; choose another --work'),
        folder_lock(tmp_path / 'file' / 'work' / 'lock', 'the folder'),
    ):
        pass


def test_where_there_is_no_lock_a_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, 'fcntl', None)  # Windows
    with folder_lock(tmp_path / 'lock', 'the folder') as descriptors:
        assert descriptors == ()
    assert lock_holder(tmp_path / 'lock') is None
