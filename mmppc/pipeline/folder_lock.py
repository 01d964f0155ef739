"""One process at a time works in a folder."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def folder_lock(path: Path, what: str, *, patience: float = 10.0) -> Iterator[tuple[int, ...]]:
    """Hold the lock file ``path``, which is made with its folder and stays; the lock goes with the process.

    Args:
        path: The lock file.
        what: What is locked, for the message.
        patience: Seconds to wait for it: loading workers outlive a killed training by a few.

    Yields:
        Descriptors to leave open in child processes: when this process is killed outright and a child of it lives on,
        nobody may start beside that child.

    Raises:
        BlockingIOError: Another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a+') as file:
        if fcntl is None:
            yield ()
            return
        end = time.monotonic() + patience
        while not _take(file):
            if time.monotonic() > end:
                raise BlockingIOError(
                    f'{what}: another process{_holder(path)} works on it; wait for its end, or end it'
                )
            time.sleep(0.2)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield (file.fileno(),)


def _take(file: IO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> str:
    """Which process wrote the lock, as far as that is known."""
    try:
        number = path.read_text(encoding='utf-8').strip()
    except OSError:
        return ''
    return f' (started by process {number})' if number.isdigit() else ''
