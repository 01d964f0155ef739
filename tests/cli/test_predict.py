"""``mmppc predict``, once as a process, else in this one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmppc.storage.masks import load_mask
from mmppc.storage.seeds import load_seed
from mmppc_cli.main import main
from tests.apis.test_picture_stream import write_video
from tests.apis.tiny_networks import cam_config, save_network, save_picture, scene, seg_config

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline's work folder with a CAM and a segmentation network."""
    root = tmp_path_factory.mktemp('run')
    (root / 'pipeline.json').write_text(json.dumps(dict(stages=['cam', 'masks', 'segmentation'])))
    for name, config in (('cam', cam_config()), ('segmentation', seg_config())):
        save_network(root / name, config, 'config')
        write_manifest(root / name, do='train', outputs=dict(checkpoint='iter_8.pth'))
    chosen = dict(value=0.44, source='best of train_seeds on train')
    write_manifest(root / 'masks', do='masks', upstream=dict(cam='id'), threshold=chosen)
    return root


def write_manifest(folder: Path, **content) -> None:
    folder.mkdir(exist_ok=True)
    manifest = dict(stage=folder.name, title=folder.name, state='finished', **content)
    (folder / 'manifest.json').write_text(json.dumps(manifest))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / 'my photos'
    save_picture(folder / 'Käse 1.png', scene(1))
    save_picture(folder / 'sub' / 'b.png', scene(2, 56, 40))
    return folder


def predict(*arguments: object) -> int:
    try:
        return main(['predict', *map(str, arguments), '--device', 'cpu'])
    except SystemExit as end:
        return int(end.code)


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()
    )


def test_a_folder_through_a_pipelines_network(run: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / 'out'
    command = [
        sys.executable,
        '-m',
        'mmppc_cli',
        'predict',
        str(run),
        str(photos),
        '--out',
        str(out),
    ]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith('segmentation network: segmentation, ')
    assert lines[1:] == [
        'pictures 1/2',
        'pictures 2/2',
        '2 pictures, 2 of them now',
        f'masks     {out / "masks"}',
        f'overlays  {out / "overlays"}',
    ]
    assert files(out) == [
        'masks/Käse 1.png', 'masks/sub/b.png', 'overlays/Käse 1.jpg', 'overlays/sub/b.jpg',
    ]  # fmt: skip
    assert load_mask(out / 'masks' / 'sub' / 'b.png', 4).shape == (56, 40)
    with Image.open(out / 'overlays' / 'Käse 1.jpg') as overlay:
        assert overlay.width == 6 + 2 * 406


def test_a_cam_network_with_tags_and_its_threshold(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / 'out'
    tags = tmp_path / 'tags.csv'
    tags.write_text('image,tags\nKäse 1.png,square cross\nsub/b.png,cross\n', encoding='utf-8')
    options = (run, photos, '--out', out, '--stage', 'cam', '--tags', tags)
    assert predict(*options, '--what', 'masks,seeds') == 0
    printed = capsys.readouterr().out
    assert 'tags (given for 2): cross 2, square 1\n' in printed
    assert f'threshold 0.44 (best of train_seeds on train, as in {run / "masks"})\n' in printed
    assert files(out) == [
        'masks/Käse 1.png', 'masks/sub/b.png', 'seeds/Käse 1.npz', 'seeds/sub/b.npz',
    ]  # fmt: skip
    seed = load_seed(out / 'seeds' / 'sub' / 'b.npz')
    assert seed.classes.tolist() == [3]
    mask = load_mask(out / 'masks' / 'sub' / 'b.png')
    assert (mask == np.where(seed.scores[0] > np.float32(0.44), 3, 0)).all()
    assert predict(*options, '--what', 'masks,seeds') == 0
    assert '2 pictures, 0 of them now' in capsys.readouterr().out
    assert predict(*options, '--what', 'masks', '--threshold', '0.8') == 0
    assert 'threshold 0.8 (given)' in capsys.readouterr().out
    assert (load_mask(out / 'masks' / 'sub' / 'b.png') > 0).sum() < (mask > 0).sum()


def test_names_as_tags_and_predicted_ones(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    cam = run / 'cam'
    assert predict(cam, photos, '--out', tmp_path / 'a', '--tags', 'circle, cross') == 0
    assert 'tags (given for 2): circle 2, cross 2' in capsys.readouterr().out
    assert predict(cam, photos, '--out', tmp_path / 'b', '--tag-threshold', '0') == 0
    assert 'tags (predicted for 2): square 2, circle 2, cross 2' in capsys.readouterr().out
    assert load_seed(tmp_path / 'b' / 'seeds' / 'Käse 1.npz').classes.tolist() == [1, 2, 3]


def test_a_config_with_a_checkpoint_on_a_video(run: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / 'Zug fährt.avi')
    cam, out = run / 'cam', tmp_path / 'out'
    code = predict(
        cam / 'config.py', video, '--checkpoint', cam / 'iter_8.pth', '--out', out,
        '--frame-step', 3, '--batch-size', 2, '--what', 'masks', '--tta',
    )  # fmt: skip
    assert code == 0
    assert files(out) == [f'masks/Zug fährt/{k:06d}.png' for k in (0, 3, 6)]


def test_broken_pictures_are_reported(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (photos / 'broken.jpg').write_bytes(b'no picture')
    out = tmp_path / 'out'
    assert predict(run, photos, '--out', out) == 2
    assert 'broken.jpg: not a picture that can be read' in capsys.readouterr().err
    assert predict(run, photos, '--out', out, '--skip-broken') == 0
    printed = capsys.readouterr().out
    assert '2 pictures, 1 of them now' in printed  # the first was written before the stop
    assert '1 left out, they cannot be read: broken' in printed
    assert predict(run, photos / 'broken.jpg', '--out', out, '--skip-broken') == 2
    assert 'none of the pictures can be read; the first: ' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['{run}', '{photos}', '--tags', 'circle'], 'error: --tags is for CAM networks'),
        (['{run}', '{photos}', '--threshold', '0.3'], 'error: --threshold is for CAM networks'),
        (['{run}', '{photos}', '--stage', 'masks'], "stage 'masks' has no trained network"),
        (['{run}', '{photos}/no.jpg'], 'no.jpg: no such picture, video or folder'),
        (['{run}/cam', '{photos}', '--tags', 'sqare'], "unknown tag 'sqare'; nearest known names: 'square'"),
        (['{run}/cam', '{photos}', '--threshold', 'no.json'], 'no.json: no such file, expected the seed_metric'),
        (['{run}/cam', '{photos}', '--crf', 'sed'], "CRF preset 'sed': expected one of"),
        (['{run}/cam/config.py', '{photos}'], 'a config alone has no weights'),
        (['{run}/cam', '{photos}', '--what', 'masks,pictures'], 'expected some of masks, overlays, seeds'),
    ],
)  # fmt: skip
def test_wrong_input_is_one_message(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture, arguments, message
) -> None:
    filled = [text.format(run=run, photos=photos) for text in arguments]
    assert predict(*filled, '--out', tmp_path / 'out') == 2
    found = capsys.readouterr().err
    assert message in found
    assert 'Traceback' not in found
    assert not (tmp_path / 'out').exists()


def test_help_says_what_is_written(capsys: pytest.CaptureFixture) -> None:
    assert predict('--help') == 0
    text = capsys.readouterr().out
    assert 'out/masks/NAME.png' in text
    assert 'mmppc predict work_dirs/ppc_seam_laptop photos --out out' in text
