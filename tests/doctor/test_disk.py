"""The estimate of what seeds and masks take."""

import os
from collections import namedtuple

import pytest

from mmppc.doctor.disk import MASK_BYTES, SEED_BYTES, check_space, needed_bytes
from mmppc.doctor.facts import PictureFacts

Usage = namedtuple('Usage', 'total used free')


def test_the_estimate():
    assert needed_bytes([(100, 200), (10, 10)], [2, 0]) == (
        round(40_000 * SEED_BYTES),
        round(20_100 * MASK_BYTES),
    )


@pytest.mark.parametrize(('free', 'status'), [(1.0, 'error'), (1.9, 'warning'), (2.1, 'ok')])
def test_what_is_needed_is_compared_with_what_is_free(monkeypatch, tmp_path, free, status):
    pictures = {'a': PictureFacts('a', size=(1000, 1000))}
    needed = sum(needed_bytes([(1000, 1000)], [3]))
    monkeypatch.setattr(
        'shutil.disk_usage', lambda _: Usage(0, 0, round(free * needed) - (free == 1))
    )
    found = check_space(pictures, {'a': 3}, tmp_path / 'not' / 'yet')
    assert found.status == status
    assert '3.0 tags each; 1.5 bytes a pixel and tag' in found.found


def test_without_tags_some_are_assumed(tmp_path):
    found = check_space({'a': PictureFacts('a', size=(1000, 1000))}, None, tmp_path)
    assert '2.0 tags each (assumed)' in found.found


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(os, 'access', lambda *_: False)
    found = check_space({'a': PictureFacts('a', size=(10, 10))}, None, tmp_path / 'work')
    assert (found.status, found.found) == ('error', f'{tmp_path} cannot be written')
