"""Networks on disk, made once."""

from pathlib import Path

import pytest

from tests.apis.tiny_networks import cam_config, save_network, save_picture, scene, seg_config


@pytest.fixture(scope='session')
def cam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Work folder of a CAM network."""
    folder = tmp_path_factory.mktemp('cam')
    save_network(folder, cam_config())
    return folder


@pytest.fixture(scope='session')
def seg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Work folder of a segmentation network."""
    folder = tmp_path_factory.mktemp('seg')
    save_network(folder, seg_config())
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three pictures, two of one size; with spaces, umlauts and a subfolder."""
    folder = tmp_path / 'my pictures'
    save_picture(folder / 'Käse 1.png', scene(1))
    save_picture(folder / 'b.PNG', scene(2, 56, 40))
    save_picture(folder / 'sub dir' / 'Größe.png', scene(3))
    (folder / 'notes.txt').write_text('not a picture', encoding='utf-8')
    return folder
