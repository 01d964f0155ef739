"""Checks that the packages mmppc builds on are there, and imports them without noise."""

import importlib
import importlib.metadata
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TextIO


class Requirement(NamedTuple):
    """A package by its import name, its oldest usable version and what pip calls it."""

    module: str
    minimum: str
    onedl: str
    openmmlab: str


# Both distributions of the OpenMMLab stack own the same import names, so neither is a hard dependency of mmppc.
REQUIREMENTS = (
    Requirement('torch', '2.1', 'torch>=2.1', 'torch>=2.1'),
    Requirement('torchvision', '0.16', 'torchvision>=0.16', 'torchvision>=0.16'),
    Requirement('mmengine', '0.10.4', 'onedl-mmengine>=0.10.12', 'mmengine==0.10.7'),
    Requirement('mmcv', '2.1', 'onedl-mmcv>=2.3', 'mmcv>=2.1,<2.2'),
    Requirement('mmseg', '1.2.2', 'onedl-mmsegmentation>=1.4', 'mmsegmentation==1.2.2'),
    # Imported by mmseg without being declared by every release of it.
    Requirement('ftfy', '', 'ftfy', 'ftfy'),
    Requirement('regex', '', 'regex', 'regex'),
)
MMPRETRAIN = Requirement('mmpretrain', '1.2', 'onedl-mmpretrain>=1.3', 'mmpretrain>=1.2')

# What mmseg and mmcv say whenever they are imported without their optional parts. mmppc needs neither.
_KNOWN_LINES = frozenset({'Could not import OneDL'})
_KNOWN_WARNINGS = (r'Fail to import ``MultiScaleDeformableAttention``',)


def check_environment(requirements: Sequence[Requirement] = REQUIREMENTS) -> None:
    """Import ``requirements`` and raise one ImportError that lists all that is missing or too old.

    The message ends with the command that mends it.
    """
    problems: list[str] = []
    wanted: list[Requirement] = []
    with quiet_imports():
        for requirement in requirements:
            problem = _problem_with(requirement)
            if problem is not None:
                problems.append(problem)
                wanted.append(requirement)
    if problems:
        original = _is_distribution_installed('mmengine')
        packages = ' '.join(f'"{r.openmmlab if original else r.onedl}"' for r in wanted)
        raise ImportError(
            f'mmppc cannot work in this environment: {"; ".join(problems)}. '
            f'To mend it, run: {sys.executable} -m pip install {packages}'
        )


def _problem_with(requirement: Requirement) -> str | None:
    name = requirement.module
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split('.')[0] == name:
            return f'{name} is not installed'
        return f'{name} cannot be imported ({error})'
    # mmseg asserts the version of mmcv when it is imported.
    except (ImportError, AssertionError) as error:
        return f'{name} cannot be imported ({error})'
    found = str(getattr(module, '__version__', ''))
    if requirement.minimum and _numbers(found) < _numbers(requirement.minimum):
        return f'{name} {found or "without a version"} is too old (at least {requirement.minimum})'
    return None


def _numbers(version: str) -> tuple[int, ...]:
    """Leading release numbers of a version, as a tuple: '2.14.1+cu130' -> (2, 14, 1)."""
    match = re.match(r'\d+(\.\d+)*', version)
    return tuple(int(part) for part in match.group().split('.')) if match else ()


def _is_distribution_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


class _LineFilter:
    """Stands in for a stream and passes text on, except for lines that are known to mean nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pending = ''
        self._active = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if not self._active:  # somebody has kept the stream that they found at import
            return self._stream.write(text)
        *lines, self._pending = (self._pending + text).split('\n')
        for line in lines:
            if line not in _KNOWN_LINES:
                self._stream.write(line + '\n')
        return len(text)

    def finish(self) -> None:
        if self._pending:
            self._stream.write(self._pending)
        self._active = False


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Drops the known notices that the OpenMMLab packages give at import, and nothing else."""
    stdout = sys.stdout
    filtered = _LineFilter(stdout)
    with warnings.catch_warnings():
        for message in _KNOWN_WARNINGS:
            warnings.filterwarnings('ignore', message=message)
        sys.stdout = filtered  # type: ignore[assignment]
        try:
            yield
        finally:
            sys.stdout = stdout
            filtered.finish()
