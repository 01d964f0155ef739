"""The files that predictions leave, each of which says what it was made from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmppc.apis.picture_stream import Inputs, Picture, PictureStream
from mmppc.storage.atomic import atomic_write
from mmppc.storage.masks import load_mask, mask_meta, save_mask
from mmppc.storage.pictures import DECODER_ERRORS
from mmppc.storage.seeds import Seed, load_seed, save_seed

SUFFIXES = {'masks': '.png', 'overlays': '.jpg', 'seeds': '.npz'}
"""Kinds of files: their folders' names, and their suffixes."""

MAKER = 'mmppc.apis'
_QUALITY = 90


@dataclass(frozen=True)
class Stored:
    """What the finished files of a picture hold.

    Attributes:
        record: What was recorded with them.
        mask: (H, W) uint8, if masks are asked for.
        seed: The maps, if seeds are asked for.
    """

    record: dict[str, Any]
    mask: np.ndarray | None
    seed: Seed | None


def picture_stream(
    inputs: Inputs | PictureStream, frame_step: int, out_dir: str | os.PathLike
) -> PictureStream:
    """The pictures of ``inputs``, without results of earlier calls in ``out_dir``, if that lies among them."""
    if isinstance(inputs, PictureStream):
        return inputs
    folders = [Path(out_dir) / kind for kind in SUFFIXES] if str(out_dir) else []
    return PictureStream(inputs, frame_step, folders)


class OutputFolder:
    """Writes ``<out_dir>/<kind>/<sample_id><suffix>`` and knows which are finished.

    A file is finished if it says that it was made from this very picture (its size and time of change), these tags,
    and this ``origin``: so it is made again when the network, the threshold or the picture changes. What something else
    has made is never replaced, unless ``overwrite``.

    Args:
        out_dir: The folder.
        kinds: Some of ``SUFFIXES``.
        origin: Weights and settings, as JSON.
        palette: 1 + C colours (R, G, B), background first.
        overwrite: Make all again, whatever is there.
    """

    def __init__(
        self,
        out_dir: str | os.PathLike,
        kinds: Sequence[str],
        origin: Mapping[str, Any],
        palette: Sequence[Sequence[int]],
        overwrite: bool = False,
    ) -> None:
        self.out_dir = Path(out_dir)
        self.kinds = tuple(kinds)
        self.palette = palette
        self.overwrite = overwrite
        # Through JSON, so that it equals what is read back.
        self.origin = json.loads(json.dumps(dict(origin)))

    def paths(self, sample_id: str) -> dict[str, Path]:
        """The files of a picture, by kind."""
        return {kind: self.out_dir / kind / f'{sample_id}{SUFFIXES[kind]}' for kind in self.kinds}

    def record(self, picture: Picture, tags: np.ndarray | None) -> dict[str, Any]:
        """What a picture's files are made from.

        Args:
            picture: The picture.
            tags: Its given tags (C,); None if they are predicted.
        """
        source = None
        if picture.path is not None:
            status = picture.path.stat()
            source = {'bytes': status.st_size, 'modified': status.st_mtime_ns}
        given = None if tags is None else (np.flatnonzero(tags) + 1).tolist()
        return {'made_by': MAKER, 'origin': self.origin, 'source': source, 'given_tags': given}

    def finished(self, picture: Picture, record: Mapping[str, Any]) -> Stored | None:
        """What is stored of a picture if all its files are finished, else None. Arrays never are: nobody knows them.

        Raises:
            FileExistsError: If something else has made one of its files, and ``overwrite`` is off.
        """
        if self.overwrite:
            return None
        found = {
            kind: _read_record(kind, path) for kind, path in self.paths(picture.sample_id).items()
        }
        for kind, theirs in found.items():
            if theirs is not None and theirs.get('made_by') != MAKER:
                raise FileExistsError(
                    f'{self.paths(picture.sample_id)[kind]}: exists, and was not made by an inferencer, or is '
                    'damaged; give another folder, or overwrite'
                )
        same = [
            theirs is not None and all(theirs.get(key) == value for key, value in record.items())
            for theirs in found.values()
        ]
        if record['source'] is None or not same or not all(same):
            return None
        paths = self.paths(picture.sample_id)
        try:
            mask = load_mask(paths['masks'], len(self.palette)) if 'masks' in paths else None
            seed = load_seed(paths['seeds']) if 'seeds' in paths else None
        except (ValueError, FileNotFoundError):  # damaged: it is made again
            return None
        first = next(iter(found.values()))
        return Stored(dict(first or {}), mask, seed)

    def write(
        self,
        sample_id: str,
        record: Mapping[str, Any],
        *,
        mask: np.ndarray,
        overlay: np.ndarray | None = None,
        seed: Seed | None = None,
    ) -> None:
        """Write a picture's files, each whole or not at all.

        Args:
            sample_id: The picture.
            record: What to record in each.
            mask: (H, W) class numbers.
            overlay: (h, w, 3) uint8 RGB, if overlays are asked for.
            seed: If seeds are asked for.
        """
        for kind, path in self.paths(sample_id).items():
            if kind == 'masks':
                save_mask(path, mask, self.palette, meta=record)
            elif kind == 'overlays':
                assert overlay is not None
                _save_overlay(path, overlay, record)
            else:
                assert seed is not None
                save_seed(
                    path,
                    seed.scores,
                    seed.classes,
                    num_classes=seed.num_classes,
                    meta={**record, **seed.meta},
                )


def _save_overlay(path: Path, overlay: np.ndarray, record: Mapping[str, Any]) -> None:
    with atomic_write(path) as file:
        Image.fromarray(overlay).save(
            file, format='JPEG', quality=_QUALITY, comment=json.dumps(dict(record)).encode()
        )


def _read_record(kind: str, path: Path) -> dict[str, Any] | None:
    """What a file says it was made from; None if there is none, empty if it does not say."""
    if not path.is_file():
        return None
    try:
        if kind == 'masks':
            return mask_meta(path)
        if kind == 'seeds':
            return load_seed(path).meta
        with Image.open(path) as picture:
            return dict(json.loads(picture.info.get('comment', b'{}')))
    except (*DECODER_ERRORS, TypeError):
        return {}
