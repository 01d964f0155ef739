"""One stage as a process of its own, whose log tells how far it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mmppc.utils import bound_process

STEP = re.compile(r'(?:Iter\((?:train|test|val)\) \[\s*|(?:masks|labels) )(\d+)/(\d+)')
"""A step in the log of a training or test by MMEngine, or of a job on a folder."""

_BOUND = Path(bound_process.__file__)


class Stage(Protocol):
    """Runs a command under a title, as :meth:`mmppc.pipeline.progress.StageBars.run` does."""

    def __call__(
        self, title: str, command: Sequence[str], log_file: Path, *, pass_fds: Sequence[int] = ()
    ) -> None:
        """Run ``command``, with its output in a file and ``pass_fds`` left open."""


def run_stage(
    title: str,
    command: Sequence[str],
    log_file: Path,
    *,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    pass_fds: Sequence[int] = (),
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run a command, which ends with this process; everything it prints goes to the end of a file.

    Args:
        title: Names the stage in messages.
        command: Program and arguments.
        log_file: Where the output goes; its folder is created.
        on_step: Called with the steps done and their number, as the log tells them.
        pass_fds: Descriptors of open files that the command keeps open, a lock for instance.
        variables: Of its environment, beside those of this process.

    Raises:
        ChildProcessError: The command failed; the message has its last lines and the log's place.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1', **(variables or {})}
    tail: deque[str] = deque(maxlen=15)
    bound = [sys.executable, str(_BOUND), str(os.getpid()), *command]
    with (
        log_file.open('a', encoding='utf-8') as log,
        subprocess.Popen(
            bound,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding='utf-8',
            errors='replace',
            env=environment,
            pass_fds=tuple(pass_fds),
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.write(line)
                log.flush()
                tail.append(line)
                step = STEP.search(line)
                if step:
                    on_step(int(step[1]), int(step[2]))
            code = process.wait()
        except BaseException:
            process.terminate()
            raise
    if code:
        raise ChildProcessError(
            f'{title}: the command ended with code {code}\n  {" ".join(command)}\n'
            f'Its last lines, all are in {log_file}:\n{"".join(tail)}'
        )
