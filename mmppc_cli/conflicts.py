"""Combinations of packages that are known not to work, and what mends an import that fails.

Each is one that users of the OpenMMLab packages report again and again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from mmppc_cli.alone import load_alone

if TYPE_CHECKING:
    from mmppc.doctor.finding import Finding
else:
    Finding = load_alone('doctor/finding.py').Finding

PIP = 'python -m pip'
OPENCV = (
    'opencv-python',
    'opencv-python-headless',
    'opencv-contrib-python',
    'opencv-contrib-python-headless',
)
CHECK = 'known conflicts'

_MENDS = (
    (
        r'Numpy is not available|_ARRAY_API|compiled using NumPy 1|numpy\.core\.multiarray failed',
        f'it was built for NumPy 1: upgrade it, or {PIP} install "numpy<2"',
    ),
    (
        r'numpy\.\w+ size changed|binary incompatib',
        f'it was built for another NumPy: {PIP} install --force-reinstall --no-cache-dir --no-binary :all: --no-deps '
        'PACKAGE',
    ),
    (
        r'torchvision::nms|Couldn\'t load custom C\+\+ ops|undefined symbol.*torch',
        'torch and what was built for it do not belong together: install torch and torchvision in one command, '
        f'{PIP} install --force-reinstall torch torchvision',
    ),
    (
        r'libGL\.so|libgthread|libEGL|libSM\.so|libXext',
        f'OpenCV misses libraries of a desktop: {PIP} uninstall -y opencv-python && '
        f'{PIP} install opencv-python-headless (or on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0)',
    ),
    (
        r"partially initialized module 'cv2'|module 'cv2' has no attribute",
        f'several OpenCV packages overwrote each other: {PIP} uninstall -y {" ".join(OPENCV)} && '
        f'{PIP} install opencv-python-headless',
    ),
    (
        r'mmcv\._ext',
        'mmsegmentation 1.2 needs mmcv with its compiled operators: take the stack of mmppc[onedl], or compile it, '
        'see docs/install.md',
    ),
    (
        r'MMCV==\S+ is used but incompatible',
        'mmcv and the package above do not belong together: install the versions of one stack, see docs/install.md',
    ),
    (
        r'already registered in optimizer',
        f'mmengine before 0.10.6 does not know this PyTorch: {PIP} install -U mmengine==0.10.7',
    ),
    (
        r"No module named 'pkg_resources'",
        f'setuptools 82 has no pkg_resources any more: {PIP} install "setuptools<81"',
    ),
    (
        r'Descriptors cannot (not )?be created directly',
        f'protobuf is newer than what uses it: {PIP} install -U tensorboard, or {PIP} install "protobuf<3.21"',
    ),
    (
        r'libcud(nn|art)|libcublas|libnvrtc|libnvJitLink',
        'libraries of CUDA are missing or of another version: '
        f'{PIP} install --force-reinstall torch torchvision, and keep LD_LIBRARY_PATH free of another CUDA',
    ),
)


def mend(message: str) -> str:
    """What to do about an import that failed with ``message``; empty if it is not a known failure."""
    return next((remedy for pattern, remedy in _MENDS if re.search(pattern, message)), '')


def numbers(version: str) -> tuple[int, ...]:
    """Leading release numbers of a version, ``'2.14.1+cu130'`` -> (2, 14, 1)."""
    match = re.match(r'\d+(\.\d+)*', version)
    return tuple(int(part) for part in match.group().split('.')) if match else ()


def known_conflicts(versions: Mapping[str, str], has_pkg_resources: bool) -> list[Finding]:
    """A finding for each known conflict, or a single one that there is none.

    Args:
        versions: What is installed: names as pip writes them, in lower case with dashes, and versions.
        has_pkg_resources: Whether the module of that name can be found.
    """
    found: list[Finding] = []
    for check in _CHECKS:
        found += check(versions)
    found += _pkg_resources(versions, has_pkg_resources)
    return found or [Finding(CHECK, 'ok', f'none of the {len(_CHECKS) + 1} that are looked for')]


def _numpy_two(versions: Mapping[str, str]) -> Iterable[Finding]:
    numpy, torch = numbers(versions.get('numpy', '')), numbers(versions.get('torch', ''))
    if torch and numpy >= (2,) and torch < (2, 3):
        yield Finding(
            CHECK,
            'error',
            f'numpy {versions["numpy"]} with torch {versions["torch"]}, which was built for NumPy 1: no array becomes '
            'a tensor ("Numpy is not available")',
            f'{PIP} install "numpy<2"',
        )


def _torchvision(versions: Mapping[str, str]) -> Iterable[Finding]:
    torch, vision = numbers(versions.get('torch', '')), numbers(versions.get('torchvision', ''))
    # torch 2.1 goes with torchvision 0.16, and so on: both are released together.
    if len(torch) > 1 and len(vision) > 1 and torch[0] == 2 and vision[1] != torch[1] + 15:
        expected = f'0.{torch[1] + 15}'
        yield Finding(
            CHECK,
            'warning',  # where it is in the way, the import fails as well
            f'torchvision {versions["torchvision"]} with torch {versions["torch"]}, expected torchvision {expected} '
            '("operator torchvision::nms does not exist")',
            f'{PIP} install "torchvision=={expected}.*"',
        )


def _opencv(versions: Mapping[str, str]) -> Iterable[Finding]:
    found = [name for name in OPENCV if name in versions]
    if len(found) > 1:
        different = len({versions[name] for name in found}) > 1
        listed = ', '.join(f'{name} {versions[name]}' for name in found)
        yield Finding(
            CHECK,
            'error' if different else 'warning',
            f'several packages own the folder cv2 and overwrote each other: {listed}',
            f'{PIP} uninstall -y {" ".join(found)} && {PIP} install {found[0]}',
        )


def _mmcv_for_mmseg(versions: Mapping[str, str]) -> Iterable[Finding]:
    if 'mmsegmentation' not in versions:
        return
    segmentation = f'mmsegmentation {versions["mmsegmentation"]}'
    if 'mmcv-lite' in versions and 'mmcv' not in versions:
        yield Finding(
            CHECK,
            'error',
            f'{segmentation} with mmcv-lite, which has no compiled operators ("No module named mmcv._ext")',
            f'{PIP} uninstall -y mmcv-lite, then compile mmcv as docs/install.md says, or take mmppc[onedl]',
        )
    version = versions.get('mmcv', versions.get('mmcv-lite', ''))
    if numbers(version) >= (2, 2) and numbers(versions['mmsegmentation']) <= (1, 2, 2):
        yield Finding(
            CHECK,
            'error',
            f'{segmentation} with mmcv {version}, which it refuses ("MMCV=={version} is used but incompatible")',
            f'{PIP} install "mmcv>=2.1,<2.2", see docs/install.md',
        )


def _adafactor(versions: Mapping[str, str]) -> Iterable[Finding]:
    engine, torch = numbers(versions.get('mmengine', '')), numbers(versions.get('torch', ''))
    if engine and engine < (0, 10, 6) and torch >= (2, 5) and 'transformers' in versions:
        yield Finding(
            CHECK,
            'error',
            f'mmengine {versions["mmengine"]} with torch {versions["torch"]} and transformers '
            '("Adafactor is already registered")',
            f'{PIP} install -U mmengine==0.10.7',
        )


def _original_with_new_torch(versions: Mapping[str, str]) -> Iterable[Finding]:
    torch, mmcv = numbers(versions.get('torch', '')), numbers(versions.get('mmcv', ''))
    if mmcv[:2] == (2, 1) and torch >= (2, 2):
        yield Finding(
            CHECK,
            'warning',
            f'mmcv {versions["mmcv"]} with torch {versions["torch"]}; the original stack is tested with torch 2.1',
            f'{PIP} install "torch==2.1.2" "torchvision==0.16.2" "numpy<2", or take mmppc[onedl]',
        )


def _pkg_resources(versions: Mapping[str, str], has_pkg_resources: bool) -> Iterable[Finding]:
    # Those releases look packages up by pkg_resources when a config names one (mmseg::...).
    needs = 'mmengine' in versions and numbers(versions['mmengine']) <= (0, 10, 7)
    if needs and not has_pkg_resources:
        setuptools = versions.get('setuptools', '')
        yield Finding(
            CHECK,
            'warning',
            f'mmengine {versions["mmengine"]} needs pkg_resources for configs of other packages (mmseg::...), which '
            + (
                f'setuptools {setuptools} has not'
                if setuptools
                else 'is not there without setuptools'
            ),
            f'{PIP} install "setuptools<81"',
        )


_CHECKS: tuple[Callable[[Mapping[str, str]], Iterable[Finding]], ...] = (
    _numpy_two,
    _torchvision,
    _opencv,
    _mmcv_for_mmseg,
    _adafactor,
    _original_with_new_torch,
)
