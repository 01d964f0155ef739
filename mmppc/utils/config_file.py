"""A config file, and what the command line changes in it."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

FOLDERS = ('data_root', 'mask_dir', 'seed_dir', 'saliency_dir', 'tag_file', 'cache_dir')


class ConfigOptions(DictAction):
    """MMEngine's ``KEY=VALUE`` options, of which a text such as a path keeps its spaces and commas.

    By itself ``DictAction`` drops the spaces of every value and takes it apart at commas. Here a value with a space is
    a text unless it is a list, a tuple or a sequence of numbers; the paths of ``FOLDERS`` are texts as they stand.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        texts = {}
        others = []
        for item in values:
            key, separator, value = item.partition('=')
            if not separator:
                parser.error(f'{option_string}: found {item!r}, expected KEY=VALUE')
            spaced = ' ' in value and not re.fullmatch(r'[\[(].*[\])]|[-+.,\deE ]+', value)
            if key in FOLDERS or spaced:
                texts[key] = value
            else:
                others.append(item)
        super().__call__(parser, namespace, others, option_string)
        getattr(namespace, self.dest).update(texts)


def parse_options(items: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` items as :class:`ConfigOptions` reads them.

    Raises:
        ValueError: An item has no ``=``.
    """
    wrong = [item for item in items if '=' not in item]
    if wrong:
        raise ValueError(f'option {wrong[0]!r}: expected KEY=VALUE')
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='*', action=ConfigOptions, default={})
    return parser.parse_args(['--options', *items]).options if items else {}


def read_config(
    path: str, options: dict[str, Any] | None = None, work_dir: str | None = None
) -> Config:
    """Read a config, override settings, and set its work folder (default: ``work_dirs/<config>``).

    A path that the config names at its top (``data_root``, ``mask_dir``, ``seed_dir``, ``saliency_dir``,
    ``tag_file``, ``cache_dir``) is a part of other settings too; overriding it moves them all.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'config not found: {path}')
    cfg = Config.fromfile(path)
    options = options or {}
    for name in FOLDERS:
        if name in options and name in cfg:
            moved = _moved(cfg._cfg_dict.to_dict(), cfg[name], str(options[name]))
            cfg = Config(moved, filename=cfg.filename)
    cfg.merge_from_dict(options)
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(path).stem)
    return cfg


def _moved(node: Any, old: str, new: str) -> Any:
    """``node`` with every path at or below the folder ``old`` moved to ``new``."""
    if isinstance(node, dict):
        return {key: _moved(value, old, new) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(_moved(value, old, new) for value in node)
    if isinstance(node, str) and (node == old or node.startswith(f'{old}/')):
        return new + node[len(old) :]
    return node
