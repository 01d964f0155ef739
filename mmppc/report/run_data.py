"""The pictures a run is about, their true masks, splits and classes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmseg.registry import DATASETS

from mmppc.datasets.names import PICTURE_SUFFIXES, examples, list_files, read_lines, sample_id
from mmppc.datasets.voc import voc_palette
from mmppc.refinement.records import PictureRecord, picture_records
from mmppc.report.records import Data
from mmppc.report.stage_reports import Notes

_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, SyntaxError)
"""What a config, or a data set built from it, raises when it is broken or its files have moved."""


def data_of_record(record: Any, notes: Notes) -> Data:
    """The data that ``pipeline.json`` names; what is missing is noted and left out."""
    if not isinstance(record, Mapping):
        return Data()
    sources = {
        name: value
        for name in ('pictures', 'masks', 'tags')
        if isinstance(value := record.get(name), str)
    }
    pictures = _files(sources.get('pictures'), PICTURE_SUFFIXES, 'pictures', notes)
    masks = _files(sources.get('masks'), ('.png',), 'true masks', notes)
    lists = record.get('lists')
    splits = {}
    for split, path in (lists if isinstance(lists, Mapping) else {}).items():
        try:
            names = [sample_id(line) for line in read_lines(path)]
        except (OSError, ValueError, TypeError) as error:
            notes.add(f'list of the split {split!r}: {error}')
            continue
        missing = [name for name in names if name not in pictures]
        if missing and pictures:
            notes.add(f'{sources["pictures"]}: no picture for {examples(missing)} of {path}')
        splits[str(split)] = tuple(
            PictureRecord(name, str(pictures[name]), str(masks[name]) if name in masks else None)
            for name in dict.fromkeys(names)
            if name in pictures
        )
    classes = record.get('classes')
    classes = tuple(map(str, classes)) if isinstance(classes, list) else ()
    return Data(classes, palette_of(classes, record.get('palette')), splits, sources)


def data_of_configs(folder: Path, notes: Notes) -> tuple[Data, int | None]:
    """The data of the tests that MMEngine recorded in a work folder, a split each; of the trainings none.

    A training's own masks may be pseudo masks, while what is tested has the truth.

    Returns:
        The data, and the seed of everything random, if a config names it.
    """
    seed: int | None = None
    classes: tuple[str, ...] = ()
    palette: Any = None
    splits: dict[str, tuple[PictureRecord, ...]] = {}
    sources: dict[str, str] = {}
    for path in _configs(folder):
        try:
            cfg = Config.fromfile(str(path))
            seed = (cfg.get('randomness') or {}).get('seed', seed)
            settings = _test_data(cfg)
            if settings is None:
                continue
            dataset = _build(settings)
            records = tuple(picture_records(dataset))
        except _ERRORS as error:
            notes.add(f'{path}: its test data cannot be opened: {error}')
            continue
        classes = tuple(dataset.metainfo.get('classes') or ())
        palette = dataset.metainfo.get('palette')
        splits[_split_of(cfg)] = records
        for name, key in (('pictures', 'img_path'), ('masks', 'seg_map_path')):
            if value := dataset.data_prefix.get(key):
                sources[name] = str(value)
    return Data(classes, palette_of(classes, palette), splits, sources), seed


def palette_of(classes: Sequence[str], palette: Any) -> tuple[tuple[int, int, int], ...]:
    """A colour a class: those given if they fit, else VOC's."""
    try:
        colours = [tuple(min(255, max(0, int(v))) for v in colour) for colour in palette or ()]
    except (TypeError, ValueError):
        colours = []
    fits = len(colours) >= len(classes) and all(len(colour) == 3 for colour in colours)
    chosen = colours[: len(classes)] if fits else voc_palette(len(classes))
    return tuple((red, green, blue) for red, green, blue in chosen)


def _files(folder: str | None, suffixes: Sequence[str], noun: str, notes: Notes) -> dict[str, Path]:
    """Files below a folder by sample id; none, with a note, where the folder is not there."""
    if folder is None:
        return {}
    try:
        found = list_files(folder, suffixes)
    except OSError as error:
        notes.add(f'{noun}: {error}')
        return {}
    return {sample_id(name): Path(folder, paths[0]) for name, paths in found.items()}


def _configs(folder: Path) -> list[Path]:
    """The configs of all starts, oldest first; without any, the one in the folder itself."""
    return sorted(folder.glob('*/vis_data/config.py')) or sorted(folder.glob('*.py'))[:1]


def _test_data(cfg: Config) -> dict[str, Any] | None:
    """Settings of the data set that is tested, without its transforms."""
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader')
    dataset = (loader or {}).get('dataset')
    if dataset is None:
        return None
    return {**dataset.to_dict(), 'pipeline': [], 'lazy_init': False}


def _build(settings: dict[str, Any]) -> Any:
    """The data set. What it logs about pictures without masks shows on the page as it is."""
    logger = logging.getLogger('mmengine')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return DATASETS.build(settings)
    finally:
        logger.setLevel(level)


def _split_of(cfg: Config) -> str:
    """The split that the test's metrics name; ``test`` if none does."""
    evaluators = cfg.get('test_evaluator') or []
    listed = evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]
    return next((str(item['split']) for item in listed if item.get('split')), 'test')
