"""Worker processes that start clean, use one thread each, and end when they should."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import SpawnContext, SpawnProcess
from types import TracebackType
from typing import Any, TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')

_SECONDS_TO_LEAVE = 1.0


def default_workers() -> int:
    """One worker for each CPU this process may use, shared by the ranks that torchrun started on this machine."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return max(1, (cpus or 1) // int(os.environ.get('LOCAL_WORLD_SIZE', '1')))


class _Context(SpawnContext):
    """Spawning, which is safe beside threads and CUDA, with a list of what was spawned."""

    def __init__(self) -> None:
        self.processes: list[SpawnProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        process = SpawnProcess(*args, **kwargs)
        self.processes.append(process)
        return process


class WorkerPool:
    """Spawned processes of one thread each. Use it as a context manager.

    Leaving the ``with`` block by an exception or Ctrl-C ends all workers at once: each gets one
    second to clean up (a file that :func:`~mmppc.storage.atomic_write` had not finished is removed),
    then it is killed. Workers also end when this process is killed. Spawned workers import the main
    module, so a script must guard its entry with ``if __name__ == '__main__'``.

    Args:
        workers: Processes; 0 to work in this one.

    Raises:
        ValueError: If ``workers`` is negative.
    """

    def __init__(self, workers: int) -> None:
        if workers < 0:
            raise ValueError(f'workers={workers}: expected 0 (no processes) or more')
        self.workers = workers
        self._context = _Context()
        self._executor: ProcessPoolExecutor | None = None
        if workers:
            self._executor = ProcessPoolExecutor(
                workers, mp_context=self._context, initializer=_initialize
            )

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._executor is None:
            return
        if kind is None:
            self._executor.shutdown()
        else:
            self.terminate()

    def submit(self, function: Callable[..., Result], *args: Any) -> Future[Result]:
        """Start ``function(*args)``, a module-level function with arguments that can be pickled.

        :func:`result_of` waits for it. At ``workers=0`` it is run here and now.
        """
        if self._executor is not None:
            return self._executor.submit(_run, function, args)
        future: Future[Result] = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def imap(
        self, function: Callable[[Item], Result], items: Iterable[Item], chunk: int = 1
    ) -> Iterator[Result]:
        """Results of ``function`` as they come, in any order.

        At most two chunks of items a worker are in flight, however many items there are. The first
        error is raised here.
        """
        source = iter(items)
        if self._executor is None:
            yield from map(function, source)
            return
        pending: set[Future[list[Result]]] = set()
        while True:
            while len(pending) < 2 * self.workers and (part := list(islice(source, chunk))):
                pending.add(self.submit(_run_chunk, function, part))
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield from result_of(future)

    def terminate(self) -> None:
        """End all workers now, whatever they are doing."""
        if self._executor is None:
            return
        for process in self._context.processes:
            process.terminate()
        self._executor.shutdown(wait=False, cancel_futures=True)
        deadline = time.monotonic() + _SECONDS_TO_LEAVE
        for process in self._context.processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()


def result_of(future: Future[Result]) -> Result:
    """Wait for a result; ChildProcessError if its worker died."""
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise ChildProcessError(
            'a worker process died, most likely for lack of memory: use fewer workers. If none could '
            "even start, guard the script's entry with: if __name__ == '__main__'"
        ) from error


def _run(function: Callable[..., Result], args: tuple) -> Result:
    try:
        return function(*args)
    except SystemExit:
        # Told to end. The executor would report this like a result and take the next item.
        os._exit(1)


def _run_chunk(function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    return [function(item) for item in items]


def _initialize() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and ends us
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Set here, not by environment variables: those would be the parent's too.
    if 'torch' in sys.modules:
        sys.modules['torch'].set_num_threads(1)
    if 'cv2' in sys.modules:
        sys.modules['cv2'].setNumThreads(1)


def _leave(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would interrupt the cleaning up
    sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_SECONDS_TO_LEAVE)
        os._exit(1)
