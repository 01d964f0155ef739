"""Several jobs at once, in threads that wait for commands."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar('Item')


def run_jobs(
    items: Sequence[Item], work: Callable[[Item], None], jobs: int
) -> Iterator[tuple[Item, BaseException | None]]:
    """Work on some items, at most ``jobs`` at once, and yield each as it is finished.

    The threads are daemons: when the caller leaves, an interrupt for instance, nobody waits for them. What they have
    started as stages (:func:`~mmppc.pipeline.stage_process.run_stage`) ends with this process.

    Args:
        items: What to work on, begun in this order.
        work: Called with an item in one of the threads.
        jobs: Threads, at least 1.

    Yields:
        An item, and what ``work`` raised or None. One that fails does not stop the others.

    Raises:
        ValueError: If ``jobs`` is below 1.
    """
    if jobs < 1:
        raise ValueError(f'jobs={jobs}, expected at least 1')
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    finished: queue.SimpleQueue[tuple[Item, BaseException | None]] = queue.SimpleQueue()
    left = threading.Event()
    for item in items:
        waiting.put(item)

    def worker() -> None:
        while not left.is_set():
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                work(item)
            except BaseException as error:
                finished.put((item, error))
            else:
                finished.put((item, None))

    for _ in range(min(jobs, len(items))):
        threading.Thread(target=worker, daemon=True).start()
    try:
        for _ in items:
            yield finished.get()
    finally:
        left.set()
