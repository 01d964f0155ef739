"""Files that are whole or absent."""

import os
import stat

import pytest

from mmppc.storage import atomic_write


def test_writes_below_new_folders_with_the_usual_permissions(tmp_path):
    path = tmp_path / 'a' / 'b.txt'
    with atomic_write(path, 'w') as file:
        file.write('Käse\n')
        assert not path.exists()
    assert path.read_bytes() == 'Käse\n'.encode()
    plain = tmp_path / 'plain'
    plain.write_text('')
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def write_half(path, error):
    with atomic_write(path) as file:
        file.write(b'half')
        raise error


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_former_file_and_nothing_else(tmp_path, error):
    path = tmp_path / 'file'
    path.write_text('former')
    with pytest.raises(error):
        write_half(path, error)
    assert path.read_text() == 'former'
    assert os.listdir(tmp_path) == ['file']


def test_the_longest_file_name_works(tmp_path):
    path = tmp_path / ('x' * 255)
    with atomic_write(path) as file:
        file.write(b'1')
    assert path.read_bytes() == b'1'


def test_other_modes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="mode='a'"), atomic_write(tmp_path / 'x', 'a'):
        pass
