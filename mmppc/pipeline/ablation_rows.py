"""The rows of the paper's Tables 5, 6 and 7, and their configs on each data set."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger

from mmppc.utils.runner import read_config

ROOT = Path(__file__).resolve().parents[2]
DATASETS = ('voc', 'toy', 'laptop')
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


TABLES: dict[int, tuple[Row, ...]] = {
    5: (
        Row('cam', 'CAM', 'table5_cam'),
        Row('seam', 'SEAM', 'table5_seam'),
        Row('cross_prototype', '+ cross prototype', 'table5_cross_prototype'),
        Row('cross_cam', '+ cross CAM', 'table5_cross_cam'),
        Row('intra', '+ intra view', 'table5_intra'),
        Row('prototype_mining', '+ prototype mining', 'table5_prototype_mining'),
        Row('pixel_sampling', '+ pixel sampling', 'table5_pixel_sampling'),
    ),
    6: (
        Row('k0', 'K = 0 (SEAM)', 'table5_seam'),
        Row('k4', 'K = 4', 'table6_k4'),
        Row('k8', 'K = 8', 'table6_k8'),
        Row('k16', 'K = 16', 'table6_k16'),
        Row('k32', 'K = 32', 'table5_pixel_sampling'),
        Row('k64', 'K = 64', 'table6_k64'),
    ),
    7: (
        Row('none', 'none (CAM)', 'table5_cam'),
        Row('rescale', 'rescale', 'table5_pixel_sampling'),
        Row('flip', 'rescale, flip', 'table7_flip'),
        Row('rotation', 'rescale, rotation', 'table7_rotation'),
        Row('translation', 'rescale, translation', 'table7_translation'),
    ),
}


def choose_rows(table: int, keys: Sequence[str] | None = None) -> tuple[Row, ...]:
    """The rows of a table, or those of them that are named.

    Raises:
        ValueError: The table has no such row.
    """
    rows = TABLES[table]
    known = [row.key for row in rows]
    unknown = sorted(set(keys or ()) - set(known))
    if unknown:
        raise ValueError(
            f'table {table} has no row {", ".join(unknown)}; it has {", ".join(known)}'
        )
    return tuple(row for row in rows if not keys or row.key in keys)


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
