"""What the machine has: processors, memory, disk, graphics cards. Nothing but the standard library."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmppc_cli.alone import load_alone

if TYPE_CHECKING:
    from mmppc.doctor.finding import Finding
    from mmppc.utils.disk import GB, nearest_folder, size_text
else:
    Finding = load_alone('doctor/finding.py').Finding
    _disk = load_alone('utils/disk.py')
    GB, nearest_folder, size_text = _disk.GB, _disk.nearest_folder, _disk.size_text

LITTLE_MEMORY = 4 * GB
LITTLE_SHARED_MEMORY = 1 * GB
LITTLE_DISK = 5 * GB
CGROUP = Path('/sys/fs/cgroup')


@dataclass(frozen=True)
class Memory:
    """Bytes of memory. ``limit`` is what a container may use, None without one."""

    total: int | None
    available: int | None
    limit: int | None


def check_cpu(cpus: int, quota: float | None, threads: str | None) -> Finding:
    """How many processors there are, and what OMP_NUM_THREADS makes of them.

    Args:
        cpus: Those this process may run on.
        quota: Processors' worth of time that a container is given; None without a limit.
        threads: The environment variable OMP_NUM_THREADS, None if it is not set.
    """
    found = f'{cpus} usable' + (f', limited to the time of {quota:.3g}' if quota else '')
    if threads is None:
        return Finding('CPU', 'ok', f'{found}; OMP_NUM_THREADS is not set (PyTorch uses all)')
    found += f'; OMP_NUM_THREADS={threads}'
    # OpenMP takes a list, one number a nested level.
    values = [part.strip() for part in threads.split(',')]
    if not all(value.isdigit() and int(value) > 0 for value in values):
        return Finding(
            'CPU', 'warning', found, 'set OMP_NUM_THREADS to a whole number, or unset it'
        )
    if int(values[0]) > cpus:
        return Finding(
            'CPU', 'warning', f'{found}: more threads than processors slow each other down',
            f'export OMP_NUM_THREADS={cpus}',
        )  # fmt: skip
    return Finding('CPU', 'ok', found)


def check_memory(memory: Memory) -> Finding:
    """Whether there is memory for a training."""
    if memory.total is None:
        return Finding('memory', 'skipped', 'this system does not say how much it has')
    total = min(memory.total, memory.limit or memory.total)
    found = f'{size_text(total)}' + (' (limit of the container)' if total < memory.total else '')
    free = total if memory.available is None else min(memory.available, total)
    if memory.available is not None:
        found += f', {size_text(free)} free'
    if free < LITTLE_MEMORY:
        return Finding(
            'memory', 'warning', f'{found}: little for a training',
            'end other programs, or use smaller batches and fewer loading workers: --cfg-options '
            'train_dataloader.batch_size=4 train_dataloader.num_workers=0 train_dataloader.persistent_workers=False',
        )  # fmt: skip
    return Finding('memory', 'ok', found)


def check_shared_memory(size: int | None) -> Finding | None:
    """Whether loading workers can hand over their pictures (containers are often given 64 MB)."""
    if size is None:
        return None
    if size < LITTLE_SHARED_MEMORY:
        return Finding(
            'shared memory', 'warning',
            f'/dev/shm has {size_text(size)}: loading workers may end with "Bus error" or "killed by signal"',
            'start the container with --shm-size=8g (or --ipc=host), or use train_dataloader.num_workers=0 '
            'train_dataloader.persistent_workers=False',
        )  # fmt: skip
    return Finding('shared memory', 'ok', f'/dev/shm has {size_text(size)}')


def check_disk(folder: Path) -> Finding:
    """Whether the work folder, or the nearest folder above that exists, can be written and has room."""
    place = nearest_folder(folder)
    shown = f'{folder}' if place == folder.absolute() else f'{folder} (to be made in {place})'
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            'disk', 'error', f'{shown} cannot be written', 'name another folder with --work-dir'
        )
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding('disk', 'skipped', f'{shown}: {error}')
    found = f'{size_text(free)} free at {shown}'
    if free < LITTLE_DISK:
        return Finding(
            'disk', 'warning', f'{found}: checkpoints and seeds may fill it',
            'make room, or name a folder on another disk with --work-dir',
        )  # fmt: skip
    return Finding('disk', 'ok', found)


def check_gpus(torch: dict[str, Any] | None, driver: Sequence[str]) -> list[Finding]:
    """What PyTorch can compute on.

    Args:
        torch: ``details`` of the import of torch, None if it cannot be imported.
        driver: The cards that NVIDIA's driver lists.
    """
    if torch is None:
        listed = f'; the driver lists {", ".join(driver)}' if driver else ''
        return [Finding('GPU', 'skipped', f'torch cannot be imported{listed}')]
    build = f'CUDA {torch["cuda"]}' if torch['cuda'] else 'the CPU only'
    build = f'ROCm {torch["rocm"]}' if torch.get('rocm') else build
    if torch['devices']:
        return [_device(index, device, build) for index, device in enumerate(torch['devices'])]
    if driver:
        return [_unused_gpu(torch, driver, build)]
    return [
        Finding(
            'GPU', 'ok',
            f'none (PyTorch is built for {build}): the CPU trains the _toy and _laptop configs; the _voc and _coco '
            'ones need a GPU',
        )
    ]  # fmt: skip


def _device(index: int, device: dict[str, Any], build: str) -> Finding:
    name = f'GPU {index}'
    found = (
        f'{device["name"]}, {size_text(device["memory"])}, compute capability {device["capability"]}; '
        f'PyTorch is built for {build}'
    )
    if device['error']:
        return Finding(
            name, 'error', f'{found}, and cannot compute on it: {device["error"]}',
            'install a PyTorch that was built for this card, see https://pytorch.org/get-started/locally, or hide the '
            'card with CUDA_VISIBLE_DEVICES',
        )  # fmt: skip
    return Finding(name, 'ok', found)


def _unused_gpu(torch: dict[str, Any], driver: Sequence[str], build: str) -> Finding:
    hidden = os.environ.get('CUDA_VISIBLE_DEVICES')
    found = f'the driver lists {", ".join(driver)}, but PyTorch, built for {build}, uses none'
    if not torch['cuda']:
        remedy = 'install a PyTorch with CUDA, see https://pytorch.org/get-started/locally'
    elif hidden is not None:
        remedy = f'CUDA_VISIBLE_DEVICES={hidden!r} hides them: unset it'
    else:
        remedy = (
            f'the driver is too old for {build}: update it, or install a PyTorch for an older CUDA'
        )
    reason = f' ({torch["error"]})' if torch.get('error') else ''
    return Finding('GPU', 'warning', found + reason, remedy)


def driver_gpus() -> list[str]:
    """The cards that ``nvidia-smi`` lists; none where it is missing or fails."""
    command = shutil.which('nvidia-smi')
    if command is None:
        return []
    query = [command, '--query-gpu=name,memory.total,driver_version', '--format=csv,noheader']
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    if done.returncode:
        return []
    rows = [line.split(', ') for line in done.stdout.splitlines() if line.strip()]
    return [f'{row[0]} ({row[1]}, driver {row[2]})' for row in rows if len(row) == 3]


def usable_cpus() -> int:
    """Processors this process may run on."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota() -> float | None:
    """Processors' worth of time that the container is given; None without a limit."""
    parts = _read(CGROUP / 'cpu.max').split()
    if len(parts) == 2 and parts[0].isdigit() and int(parts[1]):
        return int(parts[0]) / int(parts[1])
    return None


def memory() -> Memory:
    """What the system says about its memory."""
    kilobytes = {}
    for line in _read(Path('/proc/meminfo')).splitlines():
        name, _, value = line.partition(':')
        if value.strip().endswith('kB'):
            kilobytes[name] = int(value.split()[0]) * 1024
    total = kilobytes.get('MemTotal')
    if total is None and hasattr(os, 'sysconf'):
        try:
            total = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
        except (ValueError, OSError):
            total = None
    limit = _read(CGROUP / 'memory.max').strip()
    return Memory(total, kilobytes.get('MemAvailable'), int(limit) if limit.isdigit() else None)


def shared_memory() -> int | None:
    """Bytes of /dev/shm; None where there is none."""
    try:
        return shutil.disk_usage('/dev/shm').total
    except OSError:
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, ValueError):
        return ''
