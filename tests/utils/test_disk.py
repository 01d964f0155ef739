"""Places and sizes."""

from mmppc.utils.disk import GB, MB, nearest_folder, size_text


def test_the_nearest_folder_that_exists(tmp_path, monkeypatch):
    assert nearest_folder(tmp_path) == tmp_path
    assert nearest_folder(tmp_path / 'a' / 'b') == tmp_path
    (tmp_path / 'file').touch()
    assert nearest_folder(tmp_path / 'file' / 'b') == tmp_path
    monkeypatch.chdir(tmp_path)
    assert nearest_folder(type(tmp_path)('work')) == tmp_path


def test_sizes():
    texts = [size_text(size) for size in (0, 1, MB, 3 * MB, GB - 1, GB, 3 * GB // 2)]
    assert texts == ['0 MB', '1 MB', '1 MB', '3 MB', '1024 MB', '1.0 GB', '1.5 GB']
