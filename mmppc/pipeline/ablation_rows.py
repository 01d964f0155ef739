"""The rows of the paper's Tables 5, 6 and 7 and of further studies, and their configs on each data set."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger

from mmppc.datasets.toy import draw_toy_set
from mmppc.functional.contrast_options import ContrastOptions
from mmppc.pipeline.parts_data import prepare_parts
from mmppc.utils.config_file import read_config

ROOT = Path(__file__).resolve().parents[2]

DATASETS: dict[str, Callable[[Path], object] | None] = {
    'voc': None,
    'toy': draw_toy_set,
    'parts': prepare_parts,
    'laptop': None,
    'laptop_long': None,
}
"""Endings of the configs ``configs/{cam,seam,ppc_seam}_<data set>.py``, and what draws the pictures into a folder where
they are missing; None: they have to be there."""

DATASET_VARIABLE = 'MMPPC_DATASET'
"""Environment variable by which a row's config chooses the data set."""


@dataclass(frozen=True)
class Row:
    """A row of a table: its name on the command line and in print, and its config in ``configs/ablations``.

    Rows of several tables that are one experiment share a config, and so its runs.
    """

    key: str
    title: str
    config: str


@dataclass(frozen=True)
class Table:
    """Rows that are compared.

    Attributes:
        name: On the command line.
        title: For people.
        rows: In print order.
        reference: Key of the row that the others are compared with.
        steps: Each row adds to the row before, so it is compared with that one too.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    reference: str
    steps: bool = False

    @property
    def stem(self) -> str:
        """How the names of its files begin."""
        return f'table{self.name}' if self.name.isdigit() else self.name


_WHOLE = 'table5_pixel_sampling'
_CAM = Row('cam', 'CAM', 'table5_cam')
_SEAM = Row('seam', 'SEAM', 'table5_seam')


def _values(
    title: str, stem: str, values: Sequence[str], default: str | None = None
) -> tuple[Row, ...]:
    """A row a value of a setting; the default is the whole method."""
    return tuple(
        Row(
            value,
            f'{title} {value}',
            _WHOLE if value == default else f'{stem}_{value.replace(".", "p")}',
        )
        for value in values
    )


_ALL = (
    Table(
        '5',
        'Table 5, the parts of the method',
        (
            _CAM,
            _SEAM,
            Row('cross_prototype', '+ cross prototype', 'table5_cross_prototype'),
            Row('cross_cam', '+ cross CAM', 'table5_cross_cam'),
            Row('intra', '+ intra view', 'table5_intra'),
            Row('prototype_mining', '+ prototype mining', 'table5_prototype_mining'),
            Row('pixel_sampling', '+ pixel sampling', _WHOLE),
        ),
        reference='seam',
        steps=True,
    ),
    Table(
        '6',
        'Table 6, the number K of pixels in a prototype',
        (
            Row('k0', 'K = 0 (SEAM)', 'table5_seam'),
            Row('k4', 'K = 4', 'table6_k4'),
            Row('k8', 'K = 8', 'table6_k8'),
            Row('k16', 'K = 16', 'table6_k16'),
            Row('k32', 'K = 32', _WHOLE),
            Row('k64', 'K = 64', 'table6_k64'),
        ),
        reference='k0',
    ),
    Table(
        '7',
        'Table 7, the transform between the views',
        (
            Row('none', 'none (CAM)', 'table5_cam'),
            Row('rescale', 'rescale', _WHOLE),
            Row('flip', 'rescale, flip', 'table7_flip'),
            Row('rotation', 'rescale, rotation', 'table7_rotation'),
            Row('translation', 'rescale, translation', 'table7_translation'),
        ),
        reference='rescale',
    ),
    Table(
        'presets',
        'the presets of the contrast, and what they are built on',
        (
            _CAM,
            _SEAM,
            Row('paper', "PPC on SEAM, 'paper'", 'presets_paper'),
            Row('published', "PPC on SEAM, 'published'", 'presets_published'),
        ),
        reference='seam',
    ),
    Table(
        'bg_threshold',
        'the background threshold of the labels inside the contrast',
        _values('background', 'bg_threshold', ('0.1', '0.2', '0.3', '0.4', '0.5')),
        reference='0.2',
    ),
    Table(
        'temperature',
        'the temperature of the contrast',
        _values('temperature', 'temperature', ('0.05', '0.1', '0.2', '0.5'), default='0.1'),
        reference='0.1',
    ),
    Table(
        'weight',
        "the weight of the contrast's terms",
        (
            Row('0', 'weight 0 (SEAM)', 'table5_seam'),
            *_values('weight', 'weight', ('0.1', '0.3', '1.0', '3.0')),
        ),
        reference='0',
    ),
    Table(
        'warmup',
        'the share of the training without the contrast, at its start',
        (
            Row('0', 'contrast from the start', _WHOLE),
            Row('25', 'after 25 % of the iterations', 'warmup_25'),
            Row('50', 'after 50 % of the iterations', 'warmup_50'),
        ),
        reference='0',
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _ALL}


def choose_rows(table: Table, keys: Sequence[str] | None = None) -> tuple[Row, ...]:
    """The rows of a table, or those of them that are named, in the table's order.

    Raises:
        ValueError: The table has no such row.
    """
    known = [row.key for row in table.rows]
    unknown = sorted(set(keys or ()) - set(known))
    if unknown:
        raise ValueError(
            f'table {table.name} has no row {", ".join(unknown)}; it has {", ".join(known)}'
        )
    return tuple(row for row in table.rows if not keys or row.key in keys)


def table_on(table: Table, dataset: str) -> Table:
    """The table on a data set: a row that is the whole method there has its config, and so its runs.

    Which value of a setting is the whole method's own may differ between data sets.
    """
    whole = _spelt_out(row_settings(Row('', '', _WHOLE), dataset))
    rows = tuple(
        replace(row, config=_WHOLE) if _spelt_out(row_settings(row, dataset)) == whole else row
        for row in table.rows
    )
    return replace(table, rows=rows)


def _spelt_out(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with every option of the contrast, also those that are left at the preset's value."""
    losses = dict(settings['model']['losses'])
    if losses.get('contrast'):
        given = dict(losses['contrast'])
        known = {field.name for field in fields(ContrastOptions)}
        options = {name: given.pop(name) for name in [*given] if name in known}
        spelt = ContrastOptions.from_preset(given.pop('preset', 'paper'), **options)
        losses['contrast'] = {**given, **asdict(spelt)}
    return {**settings, 'model': {**settings['model'], 'losses': losses}}


def row_settings(
    row: Row, dataset: str, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The config of :func:`row_config` as plain values, without its own name."""
    settings = row_config(row, dataset, options).to_dict()
    settings.pop('work_dir', None)
    return settings


def row_config(row: Row, dataset: str, options: Mapping[str, Any] | None = None) -> Config:
    """The config of a row on a data set, with settings overridden as by ``--cfg-options``.

    A setting of a loss that the row does not have is left out, so that one option serves a whole table.
    """
    before = os.environ.get(DATASET_VARIABLE)
    logger = MMLogger.get_current_instance()
    level = logger.level
    os.environ[DATASET_VARIABLE] = dataset
    logger.setLevel(logging.WARNING)  # it announces each use of the variable
    try:
        path = str(ROOT / 'configs' / 'ablations' / f'{row.config}.py')
        losses = read_config(path).model.losses
        return read_config(path, {k: v for k, v in (options or {}).items() if _applies(k, losses)})
    finally:
        logger.setLevel(level)
        if before is None:
            del os.environ[DATASET_VARIABLE]
        else:
            os.environ[DATASET_VARIABLE] = before


def _applies(key: str, losses: Mapping[str, Any]) -> bool:
    parts = key.split('.')
    return parts[:2] != ['model', 'losses'] or len(parts) < 4 or parts[2] in losses
