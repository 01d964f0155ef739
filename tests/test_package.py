"""Importing the package: silence, registration, and one message when something is missing."""

import ast
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import mmppc
from mmppc.utils import environment

ROOT = Path(__file__).resolve().parents[1]

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {names!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

sys.meta_path.insert(0, Blocker())
import mmppc
"""


def run_python(code: str) -> subprocess.CompletedProcess:
    paths = [str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    return subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_import_registers_and_prints_nothing():
    code = """
import mmppc
from mmseg.registry import DATA_SAMPLERS, DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
for registry, name in (
    (MODELS, 'CAMSegmentor'), (MODELS, 'ResNet38'), (MODELS, 'PixelPrototypeContrastLoss'),
    (MODELS, 'CAMTTAModel'), (DATASETS, 'TaggedImageDataset'), (DATA_SAMPLERS, 'SeededSampler'),
    (HOOKS, 'RandomStateHook'), (METRICS, 'SeedMetric'), (TRANSFORMS, 'RandomCropPad'),
):
    if registry.get(name) is None:
        raise SystemExit(f'{name} is not registered')
"""
    done = run_python(code)
    assert (done.stdout, done.stderr, done.returncode) == ('', '', 0)


def test_every_import_is_of_a_package_that_is_installed(monkeypatch):
    import setuptools

    given = {}
    monkeypatch.setattr(setuptools, 'setup', given.update)
    runpy.run_path(str(ROOT / 'setup.py'))
    required = [*given['install_requires'], *given['extras_require']['all']]
    names = {re.split(r'[<>=]', item)[0] for item in required}
    distributions = {
        'PIL': 'pillow', 'cv2': 'opencv-python', 'mmcv': 'onedl-mmcv', 'mmengine': 'onedl-mmengine',
        'mmpretrain': 'onedl-mmpretrain', 'mmseg': 'onedl-mmsegmentation', 'pydensecrf': 'pydensecrf2',
    }  # fmt: skip
    imported = set()
    for path in (ROOT / 'mmppc').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module)
    packages = {name.split('.')[0] for name in imported} - set(sys.stdlib_module_names) - {'mmppc'}
    assert len(packages) > 5
    missing = {distributions.get(name, name.replace('_', '-')) for name in packages} - names
    assert not missing


def test_one_message_names_every_missing_package_and_the_command():
    done = run_python(BLOCKER.format(names={'mmseg', 'ftfy'}))
    assert done.returncode == 1
    message = done.stderr.strip().splitlines()[-1]
    assert 'ImportError: mmppc cannot work in this environment' in message
    assert 'mmseg is not installed' in message
    assert 'ftfy is not installed' in message
    assert 'torch is' not in message
    original = environment._is_distribution_installed('mmengine')
    package = 'mmsegmentation==1.2.2' if original else 'onedl-mmsegmentation>=1.4'
    assert message.endswith(f'-m pip install "{package}" "ftfy"')


def test_a_package_too_old_is_named_with_both_versions(monkeypatch):
    import mmseg

    monkeypatch.setattr(mmseg, '__version__', '1.1.0')
    with pytest.raises(ImportError, match=r'mmseg 1\.1\.0 is too old \(at least 1\.2\.2\)'):
        environment.check_environment()


def test_the_command_stays_within_the_installed_stack(monkeypatch):
    import mmcv

    monkeypatch.setattr(mmcv, '__version__', '2.0.1')
    monkeypatch.setattr(environment, '_is_distribution_installed', lambda name: True)
    with pytest.raises(ImportError, match=r'pip install "mmcv>=2\.1,<2\.2"$'):
        environment.check_environment()


def test_a_broken_package_is_reported_with_its_reason():
    code = "import sys; sys.modules['cv2'] = None\nimport mmppc"
    done = run_python(code)
    assert done.returncode == 1
    assert 'mmcv cannot be imported (import of cv2 halted' in done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ('older', 'newer'),
    [('0.10.4', '0.10.12'), ('2.1.2', '2.14.1+cu130'), ('', '1'), ('2.9', '2.10rc1')],
)
def test_versions_are_compared_as_numbers(older, newer):
    assert environment._numbers(older) < environment._numbers(newer)


def test_only_the_known_lines_are_dropped(capsys):
    with environment.quiet_imports():
        print('Could not import OneDL')
        print('something else')
        print('no line end', end='')
    assert capsys.readouterr().out == 'something else\nno line end'


def test_only_the_known_warning_is_dropped(recwarn):
    import warnings

    with environment.quiet_imports():
        warnings.warn('Fail to import ``MultiScaleDeformableAttention`` from', stacklevel=1)
    assert not recwarn.list


def test_version_is_the_same_everywhere():
    citation = (ROOT / 'CITATION.cff').read_text(encoding='utf-8')
    changelog = (ROOT / 'CHANGELOG.md').read_text(encoding='utf-8')
    assert f'version: {mmppc.__version__}\n' in citation
    assert f'## {mmppc.__version__}' in changelog


def test_an_installed_package_carries_configs_and_tools(tmp_path: Path) -> None:
    build = [sys.executable, 'setup.py', '-q', 'build_py', '--build-lib', str(tmp_path / 'lib')]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = (
        'from mmppc.utils.places import find_pipeline, project_folder\n'
        'print(project_folder()); print(find_pipeline("ppc_seam_toy").is_file())\n'
        'from mmppc.pipeline.definition import read_pipeline\n'
        'print(len(read_pipeline(find_pipeline("ppc_seam_voc")).stages))'
    )
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path / 'lib')}
    found = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    inside = tmp_path / 'lib' / 'mmppc' / '.mim'
    assert found.stdout.split() == [str(inside), 'True', '7'], found.stderr
    assert (inside / 'tools' / 'train.py').is_file()
    assert (tmp_path / 'lib' / 'mmppc' / 'report' / 'template' / 'page.html').is_file()
    assert (tmp_path / 'lib' / 'mmppc_cli' / 'main.py').is_file()
