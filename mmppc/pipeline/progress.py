"""Two progress bars: all stages, and the one that runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mmppc.pipeline.stage_process import run_stage

_LINES = 10


class StageBars:
    """Runs stages behind an overall bar and a stage's bar; where the output is no terminal, prints lines.

    Use it as a context manager.

    Args:
        stages: How many stages there are in all; None for no overall bar.
        finished: How many of them are finished.
        console: Where to draw; None for the standard output.
    """

    def __init__(
        self, stages: int | None = None, finished: int = 0, *, console: Console | None = None
    ) -> None:
        self.console = console or Console(soft_wrap=True, highlight=False)
        self._progress = Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._stages = stages
        self._finished = finished
        self._overall = (
            None
            if stages is None
            else self._progress.add_task('all stages', total=stages, completed=finished)
        )

    def __enter__(self) -> StageBars:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """A line above the bars."""
        self.console.print(text, markup=False)

    def run(
        self,
        title: str,
        command: Sequence[str],
        log_file: Path,
        *,
        pass_fds: Sequence[int] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Run a command as :func:`~mmppc.pipeline.stage_process.run_stage` does, and show how far it is."""
        place = '' if self._stages is None else f'{self._finished + 1}/{self._stages} '
        task = self._progress.add_task(f'{place}{title}', total=None)
        start, told = time.monotonic(), 0
        if not self.console.is_terminal:
            self.say(f'{place}{title}')

        def step(done: int, total: int) -> None:
            nonlocal told
            self._progress.update(task, completed=done, total=total)
            part = done * _LINES // max(total, 1)
            if not self.console.is_terminal and part > told:
                self.say(f'{place}{title}: {done}/{total}, {time.monotonic() - start:.0f} s')
            told = part

        try:
            run_stage(
                title, command, log_file, on_step=step, pass_fds=pass_fds, variables=variables
            )
        finally:
            self._progress.remove_task(task)
        self._finished += 1
        if self._overall is not None:
            self._progress.update(self._overall, completed=self._finished)
        self.say(f'{place}{title}: done in {time.monotonic() - start:.0f} s')
