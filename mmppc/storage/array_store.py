"""A file of named arrays under digests that several processes read and add to at once."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

APPLICATION_ID = 0x6D6D7070
VERSION = 1
WAIT_SECONDS = 120.0  # for another process that is writing
_CHUNK = 200  # keys a query, below SQLite's limit of 999 variables
_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE IF NOT EXISTS arrays (
    key BLOB NOT NULL, name TEXT NOT NULL, dtype TEXT NOT NULL, shape TEXT NOT NULL,
    checksum INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS places ON arrays (key, name);
"""
_KINDS = 'biuf'  # of numpy's dtypes: what has no Python objects in it
Result = TypeVar('Result')


class ArrayStore:
    """Arrays by key (bytes) and name in one SQLite file: a cache, which may be deleted at any time.

    Any number of processes may read and write at once; a process that is killed while writing leaves the file as it
    was before. Each array carries a checksum: a damaged one counts as missing and is replaced. The folder must be on a
    local disk, since SQLite's write-ahead log needs shared memory.

    The file is opened at its first use, anew in a process that was forked.

    Args:
        path: The file; made when missing, with its folder.
        max_gb: Size from which nothing more is stored, in 10^9 bytes. What is there stays: of a cycle that is longer
            than the store this serves a part, where discarding the oldest would serve nothing.

    Raises:
        ValueError: On use, if the file is not such a store, is damaged, or is of another version; or if ``max_gb`` is
            not positive.
    """

    def __init__(self, path: str | os.PathLike, max_gb: float = 20.0) -> None:
        if max_gb <= 0:
            raise ValueError(f'{path}: max_gb={max_gb}, expected a positive size in 10^9 bytes')
        self.path = Path(path)
        self.max_gb = max_gb
        self.full = False
        self._connections: dict[tuple[int, int], sqlite3.Connection] = {}

    def read(
        self, keys: Sequence[bytes], names: Sequence[str] | None = None
    ) -> list[dict[str, np.ndarray] | None]:
        """For each key its arrays, read-only.

        Args:
            keys: What was given to :meth:`write`.
            names: Names of the arrays; None for all that there are.

        Returns:
            None where an array of ``names`` is missing or damaged. Without ``names`` only what is damaged is left out.
        """
        found: dict[bytes, dict[str, np.ndarray]] = {}
        wanted = list(dict.fromkeys(keys))

        def query(connection: sqlite3.Connection) -> None:
            chosen = '' if names is None else f' AND name IN ({",".join("?" * len(names))})'
            for start in range(0, len(wanted), _CHUNK):
                part = wanted[start : start + _CHUNK]
                rows = connection.execute(
                    'SELECT key, name, dtype, shape, checksum, data FROM arrays WHERE key IN '
                    f'({",".join("?" * len(part))}){chosen}',
                    (*part, *(names or ())),
                )
                for key, name, dtype, shape, checksum, data in rows:
                    if zlib.crc32(data) == checksum:
                        array = np.frombuffer(data, dtype=dtype).reshape(json.loads(shape))
                        found.setdefault(key, {})[name] = array

        self._run(query)
        number = 1 if names is None else len(set(names))
        results = [found.get(key) for key in keys]
        return [item if item is not None and len(item) >= number else None for item in results]

    def write(self, items: Mapping[bytes, Mapping[str, np.ndarray]]) -> bool:
        """Store arrays, all or none; those that are there are replaced.

        Returns:
            Whether they were stored: False if the store is full.

        Raises:
            TypeError: An array holds something else than booleans or numbers.
        """
        rows = []
        for key, arrays in items.items():
            for name, array in arrays.items():
                if array.dtype.kind not in _KINDS:
                    raise TypeError(
                        f'{self.path}: {name} has dtype {array.dtype}, expected numbers'
                    )
                data = np.ascontiguousarray(array).tobytes()
                shape = json.dumps(list(array.shape))
                rows.append((key, name, array.dtype.str, shape, zlib.crc32(data), data))
        if self.full or not rows:
            return not rows
        size = sum(len(row[-1]) for row in rows)

        def insert(connection: sqlite3.Connection) -> bool:
            with connection:
                connection.execute('BEGIN IMMEDIATE')
                if _used_bytes(connection) + size > self.max_gb * 1e9:
                    return False
                connection.executemany(
                    'INSERT OR REPLACE INTO arrays VALUES (?, ?, ?, ?, ?, ?)', rows
                )
            return True

        self.full = not self._run(insert)
        return not self.full

    def __len__(self) -> int:
        """How many arrays there are."""
        return self._run(
            lambda connection: connection.execute('SELECT COUNT(*) FROM arrays').fetchone()[0]
        )

    def close(self) -> None:
        """Close this thread's connection; the next use opens the file again."""
        connection = self._connections.pop(_here(), None)
        if connection is not None:
            connection.close()

    def __getstate__(self) -> dict:
        """Only the settings go to another process or copy."""
        return {**self.__dict__, '_connections': {}}

    def _run(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._damage():
            return action(self._connection())

    def _connection(self) -> sqlite3.Connection:
        here = _here()
        if here not in self._connections:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            # A connection that was inherited by a fork stays where it is: closing it here would let go of the parent's
            # locks.
            self._connections[here] = connection
        return self._connections[here]

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            'PRAGMA page_size = 16384'
        )  # of a file yet to be made: long values, few pages
        tables = connection.execute('SELECT COUNT(*) FROM sqlite_master').fetchone()[0]
        application = connection.execute('PRAGMA application_id').fetchone()[0]
        version = connection.execute('PRAGMA user_version').fetchone()[0]
        if tables and application != APPLICATION_ID:
            raise ValueError(
                f'{self.path}: this SQLite file is not a cache of mmppc; give another path'
            )
        if tables and version != VERSION:
            raise ValueError(
                f'{self.path}: cache of version {version}, expected {VERSION}; delete it, it is made again'
            )
        _write_ahead(connection)
        connection.execute('PRAGMA synchronous = NORMAL')
        if not tables:
            # One writer makes the tables; others that came at the same time find them.
            connection.executescript(f'BEGIN IMMEDIATE;{_SCHEMA}COMMIT;')

    @contextmanager
    def _damage(self) -> Iterator[None]:
        """Tell which file it is that SQLite cannot use."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise ValueError(f'{self.path}: the cache cannot be used ({error})') from error
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f'{self.path}: not a readable cache ({error}); delete it with its -wal and -shm files, '
                'it is made again'
            ) from error


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers and a writer work at once. SQLite does not wait by itself while another process does the same."""
    end = time.monotonic() + WAIT_SECONDS
    while connection.execute('PRAGMA journal_mode').fetchone()[0] != 'wal':
        try:
            connection.execute('PRAGMA journal_mode = WAL')
        except sqlite3.OperationalError as error:
            if 'locked' not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.02)


def _here() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f'PRAGMA {name}').fetchone()[0]
        for name in ('page_count', 'freelist_count', 'page_size')
    )
    return (pages - free) * size
