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
        OSError: The folder cannot be written, or its file system has no locks.
    """
    with _opened(path, what) as file:
        if fcntl is None:
            yield ()
            return
        end = time.monotonic() + patience
        while not _take(file, what):
            if time.monotonic() > end:
                raise BlockingIOError(
                    f'{what}: another process{_holder(path)} works on it; wait for its end, or end it'
                )
            time.sleep(0.2)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield (file.fileno(),)


def lock_holder(path: Path) -> str | None:
    """Who holds the lock, in words; None if nobody does, as far as can be told. Nothing is written."""
    if fcntl is None or not path.is_file():
        return None
    try:
        with path.open('r') as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return f'another process{_holder(path)}'
    except OSError:
        return None
    return None


def _opened(path: Path, what: str) -> IO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open('a+')
    except OSError as error:
        raise type(error)(
            f'{what}: cannot be written ({error.strerror}: {error.filename}); choose another --work-dir'
        ) from None


def _take(file: IO, what: str) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # NFS without a lock daemon, for instance
        raise OSError(
            f'{what}: its file system does not lock files ({error.strerror}), so that two runs could spoil each other; '
            'choose a --work-dir on a local disk'
        ) from None
    return True


def _holder(path: Path) -> str:
    """Which process wrote the lock, as far as that is known."""
    try:
        number = path.read_text(encoding='utf-8').strip()
    except OSError:
        return ''
    return f' (started by process {number})' if number.isdigit() else ''
