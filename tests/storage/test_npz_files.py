"""Versioned archives: meta data, and what is refused before any array is looked at."""

import numpy as np
import pytest

from mmppc.storage.npz_files import NpzFormat, read_npz, write_npz

KIND = NpzFormat('kind', 3, ('a',), 'thing', 'somebody', 'do it again')


def test_round_trip(tmp_path):
    write_npz(tmp_path / 'x.npz', KIND, {'a': np.arange(3), 'left out': np.ones(1)}, {'größe': [1]})
    arrays, meta = read_npz(tmp_path / 'x.npz', KIND)
    assert list(arrays) == ['a']
    assert arrays['a'].tolist() == [0, 1, 2]
    assert meta == {'größe': [1]}


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('meta', '{"a":', r'x\.npz: not a readable thing, expected an \.npz that somebody wrote'),
        ('version', np.zeros(2), 'not a readable thing'),
        ('version', np.array(4), 'found 4, expected 3; update mmppc or do it again'),
        ('format', 'another', r"\(found the fields \['a', 'format', 'meta', 'version'\]\)"),
        ('a', np.array([{}], object), 'not a readable thing'),
    ],
)
def test_refused(tmp_path, field, value, message):
    given = {'format': 'kind', 'version': np.array(3), 'meta': '{}', 'a': np.zeros(1)}
    np.savez(tmp_path / 'x.npz', **{**given, field: value})
    with pytest.raises(ValueError, match=message):
        read_npz(tmp_path / 'x.npz', KIND)
