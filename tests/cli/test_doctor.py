"""The command: exit codes, output, and speaking where nothing can be imported."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmppc.datasets import draw_toy_set
from mmppc_cli.main import main

ROOT = Path(__file__).resolve().parents[2]

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {names!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    """A healthy set: classes often enough, pictures large enough."""
    return draw_toy_set(tmp_path_factory.mktemp('data') / 'toy', num_train=75, num_val=20, size=96)


def doctor(*arguments):
    return main(['doctor', '--no-installation', '--workers', '0', *map(str, arguments)])


def run(*arguments, python=(), paths=()):
    """The command in a process of its own."""
    path = os.pathsep.join(map(str, [*paths, ROOT]))
    return subprocess.run(
        [sys.executable, *python, '-m', 'mmppc_cli', 'doctor', *map(str, arguments)],
        env={**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )


def statuses(path):
    content = json.loads(Path(path).read_text(encoding='utf-8'))
    return {
        one['check']: one for section in content['sections'] for one in section['findings']
    }, content


def test_a_healthy_set(toy, tmp_path, capsys):
    code = doctor(
        toy, '--json', tmp_path / 'out' / 'doctor.json', '--strict', '--work-dir', tmp_path
    )
    out = capsys.readouterr().out
    found, content = statuses(tmp_path / 'out' / 'doctor.json')
    assert {one['status'] for one in found.values()} == {'ok'}, out
    assert (code, content['exit_code']) == (0, 0)
    assert found['list of train']['found'] == '75 pictures'
    assert found['list of val']['found'] == '20 pictures'
    assert out.splitlines()[0] == f'Data set {toy}'
    assert out.splitlines()[-1] == f'{len(found)} ok'


def test_warnings_and_errors_decide_the_exit_code(toy, tmp_path, capsys):
    (tmp_path / 'few.txt').write_text('\n'.join(f'train_{k}' for k in range(3)))
    names = (toy / 'ImageSets/Segmentation/train.txt').read_text().split()
    (tmp_path / 'few.txt').write_text('\n'.join(names[:8]))
    warned = [toy, '--train-list', tmp_path / 'few.txt']
    assert doctor(*warned) == 0
    assert 'warning  tags: classes of train' in capsys.readouterr().out
    assert doctor(*warned, '--strict') == 1
    (tmp_path / 'few.txt').write_text('\n'.join([*names[:8], *map(str, range(5))]))
    capsys.readouterr()
    assert doctor(*warned) == 1
    out = capsys.readouterr().out
    assert '5 of 13 lines without a picture' in out
    assert 'e.g. 0; 1; 2 and 2 more (--all)' in out
    assert doctor(*warned, '--all') == 1
    assert [f'- {k}' for k in range(5)] == [
        line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()[:2] == '- '
        and line.strip()[2:].isdigit()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--no-installation'], 'nothing to check'),
        (['--tags', 'tags.csv'], '--tags is about a data set'),
        (['--no-installation', '{toy}', '--cfg-options', 'a=1'], '--cfg-options is about a config'),
        (['--no-installation', '{toy}/nowhere'], 'data folder not found'),
        (['--no-installation', '{toy}', '--workers', '-1'], '--workers -1: expected 0'),
        (['--no-installation', '{toy}', '--tags', 'no.csv'], '--tags: no.csv not found'),
        (['--no-installation', '--config', 'no_such_config'], 'no_such_config'),
        (['--no-installation', '--config', 'ppc_seam_toy'], 'draws its own pictures'),
        (['--no-installation', '--config', '{toy}/bad.py'], 'bad.py: not a config: SyntaxError'),
        (['--no-installation', '{toy}', '--json', '{toy}/classes.txt/a.json'], 'cannot be written'),
        (['--no-installation', '--config', '{configs}/cam_toy.py', '--cfg-options', 'a'], "'a': expected"),
    ],
)  # fmt: skip
def test_misuse_ends_with_2_and_says_why(toy, capsys, arguments, message):
    (toy / 'bad.py').write_text('model = dict(')
    texts = [text.format(toy=toy, configs=ROOT / 'configs') for text in arguments]
    try:
        code = main(['doctor', *texts])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_the_paths_and_classes_of_a_config(toy, tmp_path, capsys):
    cfg = ROOT / 'configs' / 'cam_toy.py'
    report = tmp_path / 'a.json'
    options = ['--cfg-options', f'data_root={toy}']
    assert doctor('--config', cfg, *options, '--work-dir', tmp_path, '--json', report) == 0
    found, _ = statuses(report)
    assert found['classes of the network']['found'] == '7, as the data have'
    assert found['list of train, test']['found'] == '75 pictures'
    # The folder may be named as for other data too, and settings overridden as for tools/train.py.
    options = ['--cfg-options', 'model.decode_head.num_classes=5']
    assert doctor(toy, '--config', cfg, *options, '--work-dir', tmp_path, '--json', report) == 1
    found, _ = statuses(report)
    assert [name for name, one in found.items() if one['status'] == 'error'] == [
        'classes of the network'
    ]


def test_the_data_of_a_pipeline(toy, tmp_path):
    report = tmp_path / 'a.json'
    assert doctor(toy, '--config', 'ppc_seam_toy', '--work-dir', tmp_path, '--json', report) == 0
    found, content = statuses(report)
    assert content['sections'][0]['title'] == f'Data set {toy}'
    assert found['list of val']['found'] == '20 pictures'


def test_the_classes_of_a_pipeline_whose_configs_name_them(tmp_path):
    from mmppc.datasets import VOC_CLASSES
    from tests.doctor.conftest import Folder

    folder = Folder(tmp_path / 'voc')
    folder.tags = {name: [VOC_CLASSES[8 + k % 3]] for k, name in enumerate(folder.tags)}
    folder.lists['train_aug'] = folder.lists.pop('train')
    folder.write_texts()
    (folder.root / 'classes.txt').unlink()
    for path in (folder.root / 'SegmentationClass').iterdir():
        path.unlink()
    report = tmp_path / 'a.json'
    assert (
        doctor(folder.root, '--config', 'ppc_seam_voc', '--work-dir', tmp_path, '--json', report)
        == 0
    )
    found, _ = statuses(report)
    assert found['classes']['found'].startswith('21 with the background: background, aeroplane')
    assert found['list of train']['found'] == '36 pictures'


def test_where_the_stack_is_hidden_doctor_still_speaks(toy, tmp_path):
    (tmp_path / 'sitecustomize.py').write_text(BLOCKER.format(names=('mmengine', 'torch')))
    done = run(toy, '--json', tmp_path / 'a.json', paths=[tmp_path])
    assert done.returncode == 1, done.stderr
    assert 'Traceback' not in done.stderr
    found, content = statuses(tmp_path / 'a.json')
    assert [section['title'] for section in content['sections']] == ['Installation', 'Data set']
    assert content['exit_code'] == 1
    bad = {name: one for name, one in found.items() if one['status'] == 'error'}
    assert {'mmengine', 'torch', 'mmcv', 'torchvision', 'import mmppc', 'data set'} <= set(bad)
    assert 'No module named' in bad['torch']['found']
    assert 'mmengine is not installed' in bad['import mmppc']['found']
    assert bad['data set']['found'].startswith('not checked, as mmppc cannot be imported')
    # What does not rest on them is told as ever.
    assert found['numpy']['status'] == found['Python']['status'] == 'ok'
    assert found['disk']['status'] in ('ok', 'warning')
    assert 'Installation' in done.stdout
    alone = run(toy, '--no-installation', paths=[tmp_path])
    assert (alone.returncode, 'Traceback' in alone.stderr) == (1, False)
    assert 'not checked, as mmppc cannot be imported: ImportError' in alone.stdout


def test_without_any_package_at_all():
    done = run('--strict', python=['-S'])
    assert (done.returncode, done.stderr) == (1, '')
    lines = done.stdout.splitlines()
    missing = next(line for line in lines if 'missing packages' in line)
    for name in ('numpy', 'torch', 'mmengine', 'mmcv', 'mmseg', 'rich', 'PIL'):
        assert name in missing
    assert any(line.split()[:3] == ['error', 'OpenMMLab', 'stack'] for line in lines)
    assert any('python -m pip install "numpy>=1.26"' in line for line in lines)


def test_this_installation(tmp_path):
    """One run for all: it imports everything there is."""
    done = run('--json', tmp_path / 'a.json', '--work-dir', tmp_path)
    found, _ = statuses(tmp_path / 'a.json')
    assert done.stderr == ''
    for name in (
        'torch',
        'torchvision',
        'numpy',
        'mmengine',
        'mmcv',
        'mmseg',
        'import mmppc',
        'OpenMMLab stack',
    ):
        assert found[name]['status'] == 'ok', found[name]
    assert str(ROOT / 'mmppc') in found['import mmppc']['found']
    assert found['CPU']['found'].endswith('OMP_NUM_THREADS=1')
    assert {'Python', 'platform', 'memory', 'disk', 'dense CRF', 'known conflicts'} <= set(found)
    assert done.returncode == int(any(one['status'] == 'error' for one in found.values()))


def test_the_parser_needs_no_package():
    """Help is printed without importing torch, mmengine or rich."""
    code = (
        'import sys\nfrom mmppc_cli.main import main\n'
        'try:\n    main(["doctor", "--help"])\nexcept SystemExit: pass\n'
        'print(sorted({name.split(".")[0] for name in sys.modules} & {"torch", "mmengine", "mmppc", "rich", "numpy"}))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == '[]'
    assert 'mmppc doctor photos --tags photos.csv' in done.stdout
