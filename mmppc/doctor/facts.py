"""What a picture or mask file holds, read by the same functions that a training reads it with."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import ExifTags, Image

from mmppc.storage.masks import load_mask
from mmppc.storage.pictures import DECODER_ERRORS, read_picture
from mmppc.utils.worker_pool import WorkerPool, default_workers

SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""

_CHUNK = 16
_WORTH_A_WORKER = 2000
"""Files that take about as long to read as a worker takes to start."""
_ALPHA = ('RGBA', 'LA', 'PA', 'RGBa', 'La')


@dataclass(frozen=True)
class PictureFacts:
    """A picture file.

    Attributes:
        path: The file.
        problem: Why it cannot be read, empty if it can. Then the rest says nothing.
        size: (H, W), upright.
        mode: Pillow's, as stored: ``'RGB'``, ``'L'``, ``'CMYK'``, ``'I;16'``, ...
        kind: Pillow's name of the format, e.g. ``'JPEG'``.
        frames: How many pictures it holds.
        orientation: EXIF's, 1 (upright) .. 8.
        transparent: Whether a pixel is not opaque.
        digest: Of the decoded pixels.
    """

    path: str
    problem: str = ''
    size: tuple[int, int] = (0, 0)
    mode: str = ''
    kind: str = ''
    frames: int = 1
    orientation: int = 1
    transparent: bool = False
    digest: bytes = b''


@dataclass(frozen=True)
class MaskFacts:
    """A mask file.

    Attributes:
        path: The file.
        problem: Why it cannot be read as an index mask, empty if it can. Then the rest says nothing.
        mode: Pillow's, as stored; empty if it is no picture at all.
        kind: Pillow's name of the format, e.g. ``'PNG'``.
        size: (H, W).
        pixels: Value -> how many pixels have it.
    """

    path: str
    problem: str = ''
    mode: str = ''
    kind: str = ''
    size: tuple[int, int] = (0, 0)
    pixels: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """All files that were read, by their paths."""

    pictures: dict[str, PictureFacts]
    masks: dict[str, MaskFacts]


def read_facts(
    pictures: Sequence[str],
    masks: Sequence[str],
    *,
    workers: int | None = None,
    progress: bool = False,
) -> Facts:
    """Decode all files, in worker processes where there are many.

    Args:
        pictures: Paths, each once.
        masks: Paths, each once.
        workers: Processes; 0 to work in this one, None for as many as are worth starting.
        progress: Show a bar on a terminal's standard error.
    """
    tasks = [('picture', path) for path in pictures] + [('mask', path) for path in masks]
    if workers is None:
        workers = min(default_workers(), len(tasks) // _WORTH_A_WORKER)
        workers = 0 if workers == 1 else workers  # one alone is no faster than this process
    found = Facts({}, {})
    with WorkerPool(workers) as pool:
        results = pool.imap(read_file, tasks, chunk=_CHUNK)
        for result in _shown(results, len(tasks)) if progress else results:
            if isinstance(result, PictureFacts):
                found.pictures[result.path] = result
            else:
                found.masks[result.path] = result
    return found


def read_file(task: tuple[str, str]) -> PictureFacts | MaskFacts:
    """Read a ``('picture', path)`` or ``('mask', path)``."""
    kind, path = task
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of Pillow, on what is reported here
        return read_picture_facts(path) if kind == 'picture' else read_mask_facts(path)


def read_picture_facts(path: str) -> PictureFacts:
    """Decode a picture as a training does."""
    try:
        if os.path.getsize(path) == 0:
            return PictureFacts(path, 'empty, 0 bytes')
        pixels = read_picture(path)
        with Image.open(path) as picture:
            transparent = 'transparency' in picture.info or picture.mode in _ALPHA
            return PictureFacts(
                path,
                size=(pixels.shape[0], pixels.shape[1]),
                mode=picture.mode,
                kind=picture.format or '',
                frames=getattr(picture, 'n_frames', 1),
                orientation=picture.getexif().get(ExifTags.Base.Orientation, 1),
                transparent=transparent and _has_transparency(picture),
                digest=_digest(pixels),
            )
    except Exception as error:  # a damaged file may raise nearly anything
        return PictureFacts(path, _reason(error, path))


def read_mask_facts(path: str) -> MaskFacts:
    """Decode a mask as a test does, whatever its values."""
    mode = kind = ''
    try:
        if os.path.getsize(path) == 0:
            return MaskFacts(path, 'empty, 0 bytes')
        try:
            with Image.open(path) as picture:
                mode, kind = picture.mode, picture.format or ''
        except DECODER_ERRORS:
            pass  # load_mask says why
        mask = load_mask(path)
        counts = np.bincount(mask.reshape(-1), minlength=256)
        pixels = {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
        return MaskFacts(
            path, mode=mode, kind=kind, size=(mask.shape[0], mask.shape[1]), pixels=pixels
        )
    except Exception as error:  # a damaged file may raise nearly anything
        return MaskFacts(path, _reason(error, path), mode=mode, kind=kind)


def _has_transparency(picture: Image.Image) -> bool:
    lowest, _ = picture.convert('RGBA').getchannel('A').getextrema()
    return int(lowest) < 255  # type: ignore[arg-type]


def _digest(pixels: np.ndarray) -> bytes:
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.digest()


def _reason(error: BaseException, path: str) -> str:
    """The message without the path, which stands beside it."""
    text = ' '.join(str(error).split())
    text = text.removeprefix(f'{path}: ').replace(f' {path!r}', '')
    return text if isinstance(error, (ValueError, OSError)) else f'{type(error).__name__}: {text}'


def _shown(results: Iterator, total: int) -> Iterator:
    """The results, with a bar on standard error where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(
        results,
        'reading pictures and masks',
        total=total,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
