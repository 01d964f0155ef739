import multiprocessing
import os
import random
import signal
import sqlite3
import time

import numpy as np
import pytest

from mmppc.storage import array_store
from mmppc.storage.array_store import ArrayStore

FORK = multiprocessing.get_context('fork')


def key(number):
    return number.to_bytes(16, 'little')


def value(number, size=3000):
    return np.random.default_rng(number).standard_normal(size).astype(np.float32)


def test_arrays_come_back_as_they_were(tmp_path):
    store = ArrayStore(tmp_path / 'new' / 'a.sqlite')
    arrays = {
        'a': np.arange(12, dtype=np.int16).reshape(3, 4)[:, ::2],
        'b': np.zeros((0, 5), np.float64),
        'c': np.array(True),
        'd': np.array([np.nan, -0.0, np.inf], '>f4'),
    }
    assert store.read([key(0)]) == [None]
    assert store.write({key(0): arrays, key(1): {'a': np.ones(2)}})
    assert len(store) == 5
    first, none, second = ArrayStore(store.path).read([key(0), key(9), key(1)])
    assert none is None
    assert list(second) == ['a']
    for name, array in arrays.items():
        assert first[name].dtype == array.dtype
        assert first[name].shape == array.shape
        np.testing.assert_array_equal(first[name], array)
    assert np.signbit(first['d'][1])


def test_an_entry_counts_only_with_all_names_that_are_asked_for(tmp_path):
    store = ArrayStore(tmp_path / 'a.sqlite')
    store.write({key(0): {'a': value(0)}, key(1): {'a': value(1), 'b': value(2)}})
    found = store.read([key(0), key(1), key(0)], ['b', 'a'])
    assert [item is None for item in found] == [True, False, True]
    np.testing.assert_array_equal(found[1]['b'], value(2))
    assert set(store.read([key(1)], ['b'])[0]) == {'b'}
    store.write({key(0): {'b': value(3)}, key(1): {'a': value(4)}})
    first, second = store.read([key(0), key(1)], ['a', 'b'])
    np.testing.assert_array_equal(first['a'], value(0))
    np.testing.assert_array_equal(second['a'], value(4))


def test_many_keys_at_once(tmp_path):
    store = ArrayStore(tmp_path / 'a.sqlite')
    store.write({key(k): {'a': np.array(k)} for k in range(1, 1200)})
    found = store.read([key(k) for k in range(1200)], ['a'])
    assert found[0] is None
    assert [int(item['a']) for item in found[1:]] == list(range(1, 1200))


def test_only_numbers_are_stored(tmp_path):
    store = ArrayStore(tmp_path / 'a.sqlite')
    with pytest.raises(TypeError, match='odd has dtype object'):
        store.write({key(0): {'odd': np.array([None])}})
    with pytest.raises(ValueError, match='max_gb=0'):
        ArrayStore(tmp_path / 'a.sqlite', max_gb=0)


def test_nothing_is_stored_beyond_the_limit_and_what_is_there_stays(tmp_path):
    store = ArrayStore(tmp_path / 'a.sqlite', max_gb=1e-3)
    stored = [store.write({key(k): {'a': value(k)}}) for k in range(200)]
    assert 40 < sum(stored) < 84  # 12 kB each
    assert stored == sorted(stored, reverse=True)
    assert store.full
    found = store.read([key(k) for k in range(200)], ['a'])
    assert [item is not None for item in found] == stored
    size = sum(path.stat().st_size for path in tmp_path.iterdir() if path.suffix == '.sqlite')
    assert size <= 1e6
    # Another process with a higher limit goes on.
    assert ArrayStore(store.path, max_gb=1).write({key(300): {'a': value(0)}})


def fill(path, start, stop):
    store = ArrayStore(path)
    for number in range(start, stop):
        store.write({key(number): {'a': value(number)}})


@pytest.mark.parametrize('exists', [False, True])
def test_several_processes_write_and_read_at_once(tmp_path, exists):
    store = ArrayStore(tmp_path / 'a.sqlite')
    if exists:  # the children inherit an open connection
        store.write({key(1000): {'a': value(1000)}})
    ranges = [(0, 40), (20, 60), (30, 70), (0, 70)]
    children = [FORK.Process(target=fill, args=(store.path, *part)) for part in ranges]
    for child in children:
        child.start()
    while any(child.is_alive() for child in children):
        for number, item in enumerate(store.read([key(k) for k in range(70)], ['a'])):
            if item is not None:
                np.testing.assert_array_equal(item['a'], value(number))
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 4
    assert len(store) == 70 + exists
    for number, item in enumerate(store.read([key(k) for k in range(70)], ['a'])):
        np.testing.assert_array_equal(item['a'], value(number))


def use_inherited(store, start):
    store.write({key(start + 1): {'a': value(start)}})
    assert store.read([key(start)], ['a'])[0] is not None


def test_a_store_that_was_used_before_a_fork_works_on_both_sides(tmp_path):
    store = ArrayStore(tmp_path / 'a.sqlite')
    store.write({key(0): {'a': value(0)}})
    child = FORK.Process(target=use_inherited, args=(store, 0))
    child.start()
    child.join()
    assert child.exitcode == 0
    store.write({key(2): {'a': value(2)}})
    assert len(store) == 3


def write_for_ever(path):
    store = ArrayStore(path)
    for number in range(10**6):
        store.write({key(10 * number + k): {'a': value(k, 20000)} for k in range(10)})


def test_a_killed_writer_leaves_whole_entries(tmp_path):
    path = tmp_path / 'a.sqlite'
    generator = random.Random(0)
    for _ in range(4):
        child = FORK.Process(target=write_for_ever, args=(path,))
        child.start()
        time.sleep(generator.uniform(0.05, 0.4))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        store = ArrayStore(path)
        number = len(store)
        assert number % 10 == 0
        for k, item in enumerate(store.read([key(k) for k in range(number)], ['a'])):
            np.testing.assert_array_equal(item['a'], value(k % 10, 20000))
        store.close()
        with sqlite3.connect(path) as connection:
            assert connection.execute('PRAGMA integrity_check').fetchone() == ('ok',)


def test_a_damaged_array_is_missing_until_it_is_written_again(tmp_path):
    store = ArrayStore(tmp_path / 'a.sqlite')
    store.write({key(k): {'a': value(k)} for k in range(3)})
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    connection.close()
    data = bytearray(store.path.read_bytes())
    place = data.index(value(1).tobytes()[:64])
    data[place + 5] ^= 1
    store.path.write_bytes(data)
    found = store.read([key(k) for k in range(3)], ['a'])
    assert [item is None for item in found] == [False, True, False]
    assert store.read([key(1)]) == [None]
    store.write({key(1): {'a': value(1)}})
    np.testing.assert_array_equal(store.read([key(1)], ['a'])[0]['a'], value(1))


def test_files_that_are_no_such_store_are_refused(tmp_path):
    path = tmp_path / 'a.sqlite'
    path.write_bytes(b'no database' * 1000)
    with pytest.raises(ValueError, match=r'a\.sqlite: not a readable cache .*delete it'):
        ArrayStore(path).read([key(0)])
    other = tmp_path / 'b.sqlite'
    with sqlite3.connect(other) as connection:
        connection.execute('CREATE TABLE arrays (x)')
    with pytest.raises(ValueError, match=r'b\.sqlite: this SQLite file is not a cache'):
        ArrayStore(other).write({key(0): {'a': value(0)}})
    with sqlite3.connect(other) as connection:
        assert connection.execute('SELECT COUNT(*) FROM sqlite_master').fetchone() == (1,)
    store = ArrayStore(tmp_path / 'c.sqlite')
    store.write({key(0): {'a': value(0)}})
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute('PRAGMA user_version = 7')
    with pytest.raises(ValueError, match=r'c\.sqlite: cache of version 7, expected 1; delete it'):
        store.read([key(0)])
    with pytest.raises(ValueError, match='cannot be used'):
        ArrayStore(tmp_path).read([key(0)])


def test_a_file_that_is_cut_off_is_refused_or_missing(tmp_path):
    store = ArrayStore(tmp_path / 'a.sqlite')
    store.write({key(k): {'a': value(k)} for k in range(100)})
    store.close()
    data = store.path.read_bytes()
    store.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r'a\.sqlite: .*(delete it|cannot be used)'):
        store.read([key(k) for k in range(100)], ['a'])


class LockedFirst:
    """A connection to a file that other processes are about to switch to write-ahead logging too."""

    def __init__(self, failures, message='database is locked'):
        self.failures, self.message = failures, message
        self.mode = 'delete'

    def execute(self, command):
        if '=' in command:
            if self.failures:
                self.failures -= 1
                raise sqlite3.OperationalError(self.message)
            self.mode = 'wal'
        return self

    def fetchone(self):
        return (self.mode,)


def test_switching_to_write_ahead_logging_waits_for_others(monkeypatch):
    connection = LockedFirst(3)
    array_store._write_ahead(connection)
    assert connection.mode == 'wal'
    with pytest.raises(sqlite3.OperationalError, match='disk I/O'):
        array_store._write_ahead(LockedFirst(1, 'disk I/O error'))
    monkeypatch.setattr(array_store, 'WAIT_SECONDS', 0.0)
    with pytest.raises(sqlite3.OperationalError, match='locked'):
        array_store._write_ahead(LockedFirst(10**6))
