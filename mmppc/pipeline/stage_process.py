"""One stage as a process of its own, behind a progress bar."""

import os
import re
import subprocess
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

STEP = re.compile(r'(?:Iter\((?:train|test|val)\) \[\s*|masks )(\d+)/(\d+)')
"""A step in the log of a training or test by MMEngine, or of :func:`make_pseudo_masks`."""


def run_stage(
    title: str, command: Sequence[str], log_file: Path, *, pass_fds: Sequence[int] = ()
) -> None:
    """Run a command whose log drives a progress bar; everything it prints goes to a file.

    Args:
        title: Shown beside the bar.
        command: Program and arguments.
        log_file: Where the output goes; its folder is created.
        pass_fds: Descriptors of open files that the command keeps open, a lock for instance.

    Raises:
        ChildProcessError: The command failed; the message has its last lines and the log's place.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1'}
    tail: deque[str] = deque(maxlen=15)
    form = '{desc:<34}|{bar:30}| {n_fmt}/{total_fmt} {elapsed}<{remaining}'
    with (
        log_file.open('w') as log,
        tqdm(desc=title, total=1, bar_format=form, mininterval=1) as bar,
        subprocess.Popen(
            list(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            env=environment,
            pass_fds=tuple(pass_fds),
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            log.write(line)
            tail.append(line)
            step = STEP.search(line)
            if step:
                bar.total = int(step[2])
                bar.update(int(step[1]) - bar.n)
        code = process.wait()
        if code == 0:
            bar.update(bar.total - bar.n)
    if code:
        raise ChildProcessError(
            f'{title}: the command ended with code {code}\n  {" ".join(command)}\n'
            f'Its last lines, all are in {log_file}:\n{"".join(tail)}'
        )
