"""A stage as a process of its own: its bar, its log, its failure."""

import sys

import pytest

from mmppc.pipeline.stage_process import run_stage
from mmppc.utils.runner import user_errors


@pytest.mark.parametrize('line', ['Iter(train) [ 3/12]  lr: 0.1', '12:00 - INFO - masks 3/12'])
def test_steps_of_the_log_move_the_bar(tmp_path, capfd, line):
    command = [sys.executable, '-c', f'print("9 of 12 masks to make"); print({line!r})']
    run_stage('title', command, tmp_path / 'logs' / 'a.log')
    bars = capfd.readouterr().err.split('\r')
    assert '12/12' in bars[-1]
    assert (tmp_path / 'logs' / 'a.log').read_text() == f'9 of 12 masks to make\n{line}\n'


def test_failure_is_one_message_with_the_last_lines(tmp_path, capfd):
    command = [sys.executable, '-c', 'print("what went wrong"); raise SystemExit(3)']
    with pytest.raises(ChildProcessError, match='title: the command ended with code 3'):
        run_stage('title', command, tmp_path / 'a.log')
    with pytest.raises(SystemExit), user_errors():
        run_stage('title', command, tmp_path / 'a.log')
    error = capfd.readouterr().err
    assert 'what went wrong' in error
    assert 'Traceback' not in error
