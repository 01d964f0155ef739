"""Pictures from paths, arrays, folders and videos, one after the other."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.logging import print_log

from mmppc.datasets.names import PICTURE_SUFFIXES, list_files, sample_id
from mmppc.storage.pictures import read_picture

VIDEO_SUFFIXES = (
    '.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg', '.wmv', '.flv', '.3gp', '.mjpg', '.mjpeg',
    '.ogv', '.ts', '.mts',
)  # fmt: skip
"""Suffixes that count as videos, in any case."""

Input = str | os.PathLike | np.ndarray
Inputs = Input | Iterable[Input]


@dataclass(frozen=True)
class Picture:
    """A picture that can be read.

    Attributes:
        sample_id: Names its files. Of a video's frame ``<video>/<number of the frame>``.
        path: Its file or its video; None for an array.
        video: The sample id that the whole video has; None for other pictures.
        read: Gives (H, W, 3) uint8 BGR. Of a video it has to be called, if at all, before the next picture is
            asked for. Raises ValueError or OSError if the picture cannot be read.
    """

    sample_id: str
    path: Path | None
    video: str | None
    read: Callable[[], np.ndarray]


class PictureStream:
    """The pictures of ``inputs`` in order. Iterated once; nothing is held but names.

    Args:
        inputs: A path of a picture, of a video (by its suffix) or of a folder, which is searched for pictures with its
            subfolders; an array (H, W, 3) uint8 BGR; a list of these, or anything that gives them one by one. Pictures
            and videos are named by their file names, those of a folder by their paths below it, arrays by their number.
        frame_step: Of videos every so many frames are taken, from the first.
        leave_out: Folders whose files are no inputs, though a folder of the inputs has them below it: where results go.

    Raises:
        FileNotFoundError: There is no such file; while iterating, if the inputs come one by one.
        ValueError: ``frame_step`` is no positive number, a folder has no picture, an input is of another kind; while
            iterating, two pictures have the same name.
    """

    def __init__(
        self, inputs: Inputs, frame_step: int = 1, leave_out: Sequence[str | os.PathLike] = ()
    ) -> None:
        if frame_step < 1:
            raise ValueError(f'frame_step={frame_step}: expected 1 (every frame) or more')
        self.frame_step = frame_step
        self._leave_out = [Path(folder).resolve() for folder in leave_out]
        self.total: int | None = 0
        """How many pictures there are; None where that shows only at the end. A video's own count is trusted."""
        if isinstance(inputs, (str, os.PathLike, np.ndarray)):
            inputs = [inputs]
        self._parts: Iterable[_Part]
        if isinstance(inputs, (list, tuple)):
            self._parts = [self._part(item, index) for index, item in enumerate(inputs)]
            for part in self._parts:
                self.total = (
                    None if self.total is None or part.total is None else self.total + part.total
                )
        elif isinstance(inputs, Iterable):
            self._parts = (self._part(item, index) for index, item in enumerate(inputs))
            self.total = None
        else:
            raise ValueError(f'inputs: {_expected(inputs)}')

    def __iter__(self) -> Iterator[Picture]:
        seen: dict[str, Path | None] = {}
        for part in self._parts:
            if part.name is not None:
                _claim(seen, f'{part.name}/', part.path)  # its frames are below
            for picture in part.pictures:
                # A frame's name is its video's and its own number: remembering it would only take memory.
                if picture.video is None:
                    _claim(seen, picture.sample_id, picture.path)
                yield picture

    def _part(self, item: Any, index: int) -> _Part:
        if isinstance(item, np.ndarray):
            array = Picture(f'{index:06d}', None, None, lambda: _checked(item, f'inputs[{index}]'))
            return _Part([array], 1)
        if not isinstance(item, (str, os.PathLike)):
            raise ValueError(f'inputs[{index}]: {_expected(item)}')
        path = Path(item).expanduser()
        if path.is_dir():
            return _folder(path, self._leave_out)
        if not path.exists():
            raise FileNotFoundError(f'{path}: no such picture, video or folder')
        if path.suffix.lower() in VIDEO_SUFFIXES:
            name = sample_id(path.stem)
            frames = _video(path, name, self.frame_step)
            return _Part(frames, _count(path, self.frame_step), name, path)
        return _Part([_file(path, sample_id(path.name))], 1)


@dataclass(frozen=True)
class _Part:
    """What one of the inputs gives; ``name`` is the video's."""

    pictures: Iterable[Picture]
    total: int | None
    name: str | None = None
    path: Path | None = None


def read_bgr(path: str | os.PathLike) -> np.ndarray:
    """A picture file as (H, W, 3) uint8 BGR; errors as of :func:`~mmppc.storage.pictures.read_picture`."""
    return np.ascontiguousarray(read_picture(path)[..., ::-1])


def _claim(seen: dict[str, Path | None], name: str, path: Path | None) -> None:
    if name in seen:
        raise ValueError(
            f'{path or "an array"}: its name {name!r} is taken by {seen[name] or "an array"}, and results go by names; '
            'give the folder that has both, or call them by turns'
        )
    seen[name] = path


def _file(path: Path, name: str) -> Picture:
    return Picture(name, path, None, lambda: read_bgr(path))


def _folder(folder: Path, leave_out: Sequence[Path]) -> _Part:
    files = list_files(folder, PICTURE_SUFFIXES)
    within = [place for place in leave_out if place.is_relative_to(folder.resolve())]
    names = [
        (sample_id(path), folder / path)
        for paths in files.values()
        for path in paths
        if not any((folder / path).resolve().is_relative_to(place) for place in within)
    ]
    if not names:
        raise ValueError(
            f'{folder}: no picture in this folder, expected one of {", ".join(PICTURE_SUFFIXES)}'
        )
    return _Part((_file(path, name) for name, path in names), len(names))


def _video(path: Path, name: str, step: int) -> Iterator[Picture]:
    """Every ``step``-th frame; a video that cannot be read gives one picture, whose reading says so."""
    capture = cv2.VideoCapture(str(path))
    try:
        index = 0
        while capture.grab():
            if index % step == 0:
                where = f'{path}: frame {index}'
                yield Picture(
                    f'{name}/{index:06d}', path, name, lambda where=where: _frame(capture, where)
                )
            index += 1
        if index == 0:
            yield Picture(f'{name}/000000', path, name, lambda: _refuse(path))
        expected = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        # Containers of some kinds only estimate the number.
        if index and index < 0.98 * expected - 1:
            print_log(
                f'{path}: ends after {index} of {expected} frames, it may be cut off or damaged',
                logger='current',
                level=logging.WARNING,
            )
    finally:
        capture.release()


def _frame(capture: cv2.VideoCapture, where: str) -> np.ndarray:
    found, frame = capture.retrieve()
    if not found:
        raise ValueError(f'{where} cannot be decoded')
    return _checked(frame, where)


def _refuse(path: Path) -> np.ndarray:
    raise ValueError(
        f'{path}: no frame can be read: not a video, damaged, or of a codec that this OpenCV does not know'
    )


def _count(path: Path, step: int) -> int | None:
    capture = cv2.VideoCapture(str(path))
    try:
        frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        capture.release()
    return -(-frames // step) if frames > 0 else None


def _checked(array: np.ndarray, where: str) -> np.ndarray:
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or not array.size:
        raise ValueError(
            f'{where}: array {array.shape} {array.dtype}, expected (H, W, 3) uint8 BGR'
        )
    return np.ascontiguousarray(array)


def _expected(item: Any) -> str:
    return (
        f'found {type(item).__name__}, expected a path of a picture, video or folder, an array (H, W, 3) uint8 BGR, or '
        'a list of these'
    )
