"""Pictures with image tags, masks optional."""

from __future__ import annotations

import logging
import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmseg.datasets.basesegdataset import BaseSegDataset
from mmseg.registry import DATASETS

from mmppc.datasets.names import (
    PICTURE_SUFFIXES,
    check_classes,
    examples,
    list_files,
    read_classes,
    read_lines,
    sample_id,
)
from mmppc.datasets.tags import load_tags
from mmppc.datasets.voc import voc_palette


@DATASETS.register_module()
class TaggedImageDataset(BaseSegDataset):
    """A folder of pictures, their tags, and masks where there are any.

    Every sample of ``data_list`` holds ``img_path``, ``sample_id``, ``num_classes`` (1+C), ``tags``
    (float32 (C,), if there is a tag file), ``seg_map_path`` (if there is a mask) and mmseg's own
    ``label_map``, ``reduce_zero_label``, ``seg_fields``. Everything is checked at construction.

    Args:
        data_root: Folder that the relative paths below start from.
        data_prefix: ``img_path``: picture folder; ``seg_map_path``: folder of index masks
            ``<sample_id><seg_map_suffix>``, optional.
        ann_file: Split list, one picture a line, with or without its suffix. Without it, all
            pictures below the folder, sorted.
        tag_file: Anything :func:`~mmppc.datasets.tags.load_tags` reads; None where tags are not
            needed (retraining). A picture without a row is refused.
        metainfo: ``classes`` with the background first; ``palette`` defaults to VOC's colours.
        classes_file: The class names in a file instead, one a line, background first.
        ignore_unknown_tags: Pass over tags that are no class instead of refusing them.
        require_masks: Refuse a picture without a mask. By default it has no ground truth.
        seg_map_suffix: Suffix of the masks.
        kwargs: As for mmseg's ``BaseSegDataset``: ``indices``, ``serialize_data``, ``test_mode``,
            ``lazy_init``, ``ignore_index``.

    Raises:
        FileNotFoundError: If a file or folder named here, a listed picture, or a mask with ``require_masks``
            is missing.
        ValueError: If the split is empty, two pictures share a sample id, a picture has no tags in the tag
            file, or the classes are not given exactly once.
    """

    def __init__(
        self,
        data_root: str | None = None,
        data_prefix: Mapping[str, str] | None = None,
        ann_file: str = '',
        tag_file: str | None = None,
        metainfo: Mapping[str, Any] | None = None,
        classes_file: str | None = None,
        ignore_unknown_tags: bool = False,
        require_masks: bool = False,
        seg_map_suffix: str = '.png',
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if kwargs.get('reduce_zero_label'):
            raise ValueError('reduce_zero_label=True: channel 0 is the background here, keep False')
        self.tag_file = _below(data_root, tag_file) if tag_file else None
        self.ignore_unknown_tags = ignore_unknown_tags
        self.require_masks = require_masks
        prefix = {key: value for key, value in (data_prefix or {}).items() if value is not None}
        super().__init__(
            ann_file=ann_file or '',
            seg_map_suffix=seg_map_suffix,
            metainfo=_complete_metainfo(metainfo, classes_file, data_root),
            data_root=data_root,
            data_prefix={'img_path': '', **prefix},
            pipeline=list(pipeline),
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Match pictures, masks and tags; see the class for what is refused."""
        pictures = self._find_pictures()
        masks = self._find_masks(list(pictures))
        tags = self._find_tags(list(pictures))
        data_list = []
        for key, path in pictures.items():
            sample = {
                'img_path': path,
                'sample_id': key,
                'num_classes': len(self.metainfo['classes']),
                'label_map': self.label_map,
                'reduce_zero_label': self.reduce_zero_label,
                'seg_fields': [],
            }
            if key in masks:
                sample['seg_map_path'] = masks[key]
            if tags:
                sample['tags'] = tags[key]
            data_list.append(sample)
        return data_list

    def prepare_data(self, idx: int) -> Any:
        """As in mmengine, but a sample that the pipeline drops is an error, never replaced."""
        data = super().prepare_data(idx)
        if data is None:
            # mmengine would silently train on another, random picture.
            path = self.get_data_info(idx)['img_path']
            raise ValueError(f'{path}: a transform of the pipeline returned None for this picture')
        return data

    def _find_pictures(self) -> dict[str, str]:
        folder = self.data_prefix['img_path']
        files = list_files(folder, PICTURE_SUFFIXES)
        if self.ann_file:
            names = _listed_pictures(self.ann_file, folder, files)
        else:
            names = [path for paths in files.values() for path in paths]
            if not names:
                raise ValueError(
                    f'{folder}: no picture in this folder, expected one of {PICTURE_SUFFIXES}'
                )
        found: dict[str, str] = {}
        for name in names:
            key = sample_id(name)
            path = os.path.join(folder, name)
            if key in found:
                raise ValueError(
                    f'{self.ann_file or folder}: two pictures with the sample id {key!r}: '
                    f'{found[key]} and {path}; seeds and masks are filed under this id'
                )
            found[key] = path
        return found

    def _find_masks(self, keys: Sequence[str]) -> dict[str, str]:
        folder = self.data_prefix.get('seg_map_path')
        if folder is None:
            if self.require_masks:
                raise ValueError("require_masks=True needs data_prefix['seg_map_path']")
            return {}
        if self.require_masks or os.path.isdir(folder):
            files = list_files(folder, (self.seg_map_suffix.lower(),))
        else:
            files = {}
        missing = [key for key in keys if key not in files]
        if missing:
            text = f'{folder}: pictures without a mask: {examples(missing)} of {len(keys)}'
            if self.require_masks:
                raise FileNotFoundError(f'{text}, expected e.g. {missing[0]}{self.seg_map_suffix}')
            print_log(f'{text}; they have no ground truth', logger='current', level=logging.WARNING)
        return {key: os.path.join(folder, files[key][0]) for key in keys if key in files}

    def _find_tags(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        if self.tag_file is None:
            return {}
        classes = self.metainfo['classes'][1:]
        tags = load_tags(self.tag_file, classes, ignore_unknown=self.ignore_unknown_tags)
        missing = [key for key in keys if key not in tags]
        if missing:
            raise ValueError(
                f'{self.tag_file}: pictures without tags: {examples(missing)} of {len(keys)}; '
                f'expected a row for every picture of {self.ann_file or self.data_prefix["img_path"]}'
                ' (with an empty list if it shows no class)'
            )
        return tags


def _below(root: str | None, path: str) -> str:
    return os.path.join(root, path) if root else path


def _normal_path(path: str) -> str:
    """A path below the picture folder with the spelling of a sample id, suffix kept."""
    path = unicodedata.normalize('NFC', path).replace('\\', '/')
    return path[2:] if path.startswith('./') else path


def _complete_metainfo(
    metainfo: Mapping[str, Any] | None, classes_file: str | None, data_root: str | None
) -> dict[str, Any]:
    info = dict(metainfo or {})
    given = info.get('classes')
    if isinstance(given, str):
        raise ValueError(
            f'metainfo: classes={given!r} is a string; expected a sequence of names, or the file '
            'that lists them as classes_file'
        )
    if given is not None:
        info['classes'] = check_classes(given, 'metainfo: classes')
    if classes_file:
        path = _below(data_root, classes_file)
        listed = read_classes(path)
        if given is not None and info['classes'] != listed:
            raise ValueError(
                f'classes are given twice and differ: metainfo has {list(info["classes"])}, '
                f'{path} has {list(listed)}'
            )
        info['classes'] = listed
    elif given is None:
        raise ValueError(
            "no classes: give metainfo=dict(classes=('background', ...)) or classes_file='classes.txt'"
        )
    info.setdefault('palette', voc_palette(len(info['classes'])))
    return info


def _listed_pictures(ann_file: str, folder: str, files: Mapping[str, Sequence[str]]) -> list[str]:
    lines = read_lines(ann_file)
    if not lines:
        raise ValueError(f'{ann_file}: the split is empty, expected one picture a line')
    names, missing = [], []
    for line in lines:
        # The exact name wins; it tells 'a.jpg' from 'a.png'.
        candidates = files.get(sample_id(line)) or files.get(_normal_path(line)) or []
        exact = [path for path in candidates if _normal_path(path) == _normal_path(line)]
        if not candidates:
            missing.append(line)
        elif exact or len(candidates) == 1:
            names.append((exact or candidates)[0])
        else:
            raise ValueError(
                f'{ann_file}: {line!r} may be any of {list(candidates)} in {folder}; '
                'two pictures cannot share a sample id'
            )
    if missing:
        raise FileNotFoundError(
            f'{ann_file}: pictures that are not in {Path(folder)}: {examples(missing)} of '
            f'{len(lines)}; expected one picture a line, with or without its suffix'
        )
    return names
