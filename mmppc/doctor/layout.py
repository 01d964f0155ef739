"""Where the files of a data set are: a folder as it lies there, or what a config says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PICTURES = 'JPEGImages'
MASKS = 'SegmentationClass'
TAGS = ('tags.csv', 'tags.json', 'Annotations')
CLASSES = 'classes.txt'
LISTS = {
    'train': 'ImageSets/Segmentation/train.txt',
    'val': 'ImageSets/Segmentation/val.txt',
}
OPTIONS = ('pictures', 'masks', 'tags', 'classes', 'train_list', 'val_list')
"""Paths that a user may name."""

ALL = 'all'
"""Name of the part of a folder without lists."""
_DATASET = 'TaggedImageDataset'
_LOADERS = ('train', 'val', 'test')


@dataclass(frozen=True)
class Part:
    """Pictures that are read together, as by one dataset of a config.

    Attributes:
        name: For people, e.g. ``'train'``.
        pictures: Folder of the pictures, searched with its subfolders.
        list_file: Which of them, one a line; None for all.
        tags: What :func:`~mmppc.datasets.tags.load_tags` reads; None where none are needed.
        masks: Folder of index masks; None without.
        classes_file: Names of the classes, background first.
        classes: The same, where the config itself names them.
        require_masks: Whether a picture without a mask is refused.
        ignore_unknown_tags: Whether tags that are no class are passed over.
        mask_suffix: Ending of the masks.
    """

    name: str
    pictures: Path
    list_file: Path | None = None
    tags: Path | None = None
    masks: Path | None = None
    classes_file: Path | None = None
    classes: tuple[str, ...] | None = None
    require_masks: bool = False
    ignore_unknown_tags: bool = False
    mask_suffix: str = '.png'

    @property
    def of(self) -> str:
        """`` of train``, for the name of a question; nothing where there is no other part."""
        return '' if self.name == ALL else f' of {self.name}'


@dataclass(frozen=True)
class NamedFile:
    """A file or folder that a config names beside its datasets.

    Attributes:
        setting: Where in the config.
        path: The path.
        maker: What makes it, for people.
    """

    setting: str
    path: Path
    maker: str


@dataclass(frozen=True)
class Layout:
    """The files of a data set.

    Attributes:
        source: Folder or config that says so, for people.
        parts: Each with its own pictures; at least one.
        num_classes: Channels of the network, the background included; None if unknown.
        named_files: What a training needs beside the data.
        others: Datasets of the config that doctor does not know, ``'val: CityscapesDataset'``.
        root: Folder of the data, where the config names one.
        optional: Whether tags, lists and classes may be missing, as ``mmppc run`` makes lists and classes itself.
    """

    source: str
    parts: tuple[Part, ...]
    num_classes: int | None = None
    named_files: tuple[NamedFile, ...] = ()
    others: tuple[str, ...] = ()
    root: Path | None = None
    optional: bool = True


def folder_layout(
    root: Path,
    given: Mapping[str, Path | None] | None = None,
    usual: Mapping[str, Any] | None = None,
    classes: tuple[str, ...] | None = None,
) -> Layout:
    """The layout of a folder.

    Args:
        root: The folder. Without the subfolder of ``usual['pictures']`` all pictures below it count.
        given: What the user names, of :data:`OPTIONS`, below ``root`` or as it stands.
        usual: Where else to look, below ``root``: ``data`` of a pipeline's config. By default VOC's layout with
            ``tags.csv``, ``tags.json`` or ``Annotations``, and ``classes.txt``.
        classes: Names of the classes, background first, where lists but no file of classes are found.

    Raises:
        FileNotFoundError: If there is no such folder, or nothing at a path that the user names.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'data folder not found: {root}')
    given = given or {}
    usual = usual if usual is not None else {
        'pictures': PICTURES, 'masks': MASKS, 'classes': CLASSES, 'lists': LISTS,
    }  # fmt: skip
    lists = usual.get('lists') or {}

    def place(option: str, *names: str | None) -> Path | None:
        if given.get(option) is not None:
            return _given(option, given[option], root)
        return next((root / name for name in names if name and (root / name).exists()), None)

    part = Part(
        ALL,
        pictures=place('pictures', usual.get('pictures')) or root,
        masks=place('masks', usual.get('masks')),
        tags=place('tags', *([usual['tags']] if usual.get('tags') else []), *TAGS),
        classes_file=place('classes', usual.get('classes')),
    )
    parts = [
        replace(part, name=split, list_file=path)
        for split in ('train', 'val')
        if (path := place(f'{split}_list', lists.get(split))) is not None
    ]
    if classes is not None and part.classes_file is None:
        parts = [replace(one, classes=classes) for one in parts]
    return Layout(str(root), tuple(parts or [part]))


def config_layout(
    cfg: Mapping[str, Any],
    source: str,
    *,
    root: Path | None = None,
    given: Mapping[str, Path | None] | None = None,
) -> Layout:
    """The layout that a config's data loaders describe.

    Args:
        cfg: The config, already with the user's options.
        source: Its file, for messages.
        root: What the paths of ``given`` may lie below.
        given: What the user names instead, of :data:`OPTIONS`.

    Raises:
        FileNotFoundError: If there is nothing at a path that the user names.
        ValueError: If no data loader has a dataset that doctor knows.
    """
    parts: list[Part] = []
    others: list[str] = []
    files: dict[tuple[str, Path], NamedFile] = {}
    for loader in _LOADERS:
        for dataset in _datasets((cfg.get(f'{loader}_dataloader') or {}).get('dataset')):
            kind = str(dataset.get('type', '')).rpartition('.')[2]
            if kind != _DATASET:
                others.append(f'{loader}: {dataset.get("type")}')
                continue
            part = _part(loader, dataset)
            same = next(
                (i for i, one in enumerate(parts) if replace(one, name=loader) == part), None
            )
            if same is None:
                parts.append(part)
            else:
                parts[same] = replace(parts[same], name=f'{parts[same].name}, {loader}')
            for file in _files_of_pipeline(loader, dataset.get('pipeline')):
                files.setdefault((file.setting.partition('.')[2], file.path), file)
    if not parts:
        raise ValueError(
            f'{source}: no data loader with a {_DATASET}'
            + (f', found {", ".join(others)}' if others else '')
        )
    if given:
        parts = [_overridden(part, given, root) for part in parts]
    head = (cfg.get('model') or {}).get('decode_head')
    num_classes = head.get('num_classes') if isinstance(head, Mapping) else None
    return Layout(
        source,
        tuple(parts),
        num_classes=num_classes,
        named_files=(*files.values(), *_weights(cfg)),
        others=tuple(others),
        root=Path(cfg['data_root']) if cfg.get('data_root') else None,
        optional=False,
    )


def _given(option: str, path: Path | None, root: Path | None) -> Path | None:
    """A path that the user names, below the data folder or as it stands."""
    if path is None:
        return None
    candidates = [path] if root is None else [root / path, path]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    where = 'there' if root is None else f'neither below {root} nor as it stands'
    raise FileNotFoundError(f'--{option.replace("_", "-")}: {path} not found, {where}')


def _overridden(part: Part, given: Mapping[str, Path | None], root: Path | None) -> Part:
    """A part of a config with the paths that the user names."""
    fields = {'pictures': 'pictures', 'masks': 'masks', 'tags': 'tags'}
    changes: dict[str, Any] = {
        field: _given(option, given[option], root)
        for option, field in fields.items()
        if given.get(option) is not None
    }
    if given.get('classes') is not None:
        changes.update(classes_file=_given('classes', given['classes'], root), classes=None)
    for split in ('train', 'val'):
        option = f'{split}_list'
        if given.get(option) is not None and split in part.name.split(', '):
            changes['list_file'] = _given(option, given[option], root)
    return replace(part, **changes)


def _datasets(node: Any) -> Iterator[Mapping[str, Any]]:
    """A dataset's config, or those inside of a wrapper such as ``RepeatDataset`` or ``ConcatDataset``."""
    if isinstance(node, (list, tuple)):
        for item in node:
            yield from _datasets(item)
    elif isinstance(node, Mapping):
        inner = node.get('datasets') or node.get('dataset')
        if inner:
            yield from _datasets(inner)
        else:
            yield node


def _part(name: str, dataset: Mapping[str, Any]) -> Part:
    """A part as ``TaggedImageDataset`` reads its arguments."""
    root = dataset.get('data_root')
    prefix = dataset.get('data_prefix') or {}
    classes = (dataset.get('metainfo') or {}).get('classes')

    def below(path: str | None) -> Path | None:
        return Path(os.path.join(root or '', path)) if path else None

    return Part(
        name,
        pictures=below(prefix.get('img_path')) or Path(root or '.'),
        list_file=below(dataset.get('ann_file')),
        tags=below(dataset.get('tag_file')),
        masks=below(prefix.get('seg_map_path')),
        classes_file=below(dataset.get('classes_file')),
        classes=None if classes is None else tuple(classes),
        require_masks=bool(dataset.get('require_masks')),
        ignore_unknown_tags=bool(dataset.get('ignore_unknown_tags')),
        mask_suffix=dataset.get('seg_map_suffix', '.png'),
    )


def _files_of_pipeline(loader: str, pipeline: Any) -> Iterator[NamedFile]:
    """Folders that the transforms read, by the settings that end in ``_dir``."""
    makers = {
        'seed_dir': 'tools/test.py on the CAM network',
        'saliency_dir': 'a saliency detector, or tools/dataset_converters/make_saliency.py',
        'label_dir': 'ConfidentLabelHook',
    }
    for item in _mappings(pipeline):
        for key, value in item.items():
            if str(key).endswith('_dir') and isinstance(value, str):
                setting = f'{loader}_dataloader.{item.get("type", "")}.{key}'
                yield NamedFile(setting, Path(value), makers.get(key, 'an earlier stage'))


def _weights(cfg: Mapping[str, Any]) -> Iterator[NamedFile]:
    """Files of weights, not addresses of such."""
    paths = [
        ('init_cfg', item['checkpoint'])
        for item in _mappings(cfg.get('model'))
        if item.get('type') == 'Pretrained' and isinstance(item.get('checkpoint'), str)
    ]
    if isinstance(cfg.get('load_from'), str):
        paths.append(('load_from', cfg['load_from']))
    for setting, path in dict.fromkeys(paths):
        if '://' not in path:
            yield NamedFile(
                setting, Path(path), 'tools/model_converters/published_to_mmppc.py, see README.md'
            )


def _mappings(node: Any) -> Iterator[Mapping[str, Any]]:
    """All mappings inside of nested settings."""
    if isinstance(node, Mapping):
        yield node
        for value in node.values():
            yield from _mappings(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _mappings(value)
