"""Names and colours of a network's classes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmppc.datasets.names import check_classes, read_classes
from mmppc.datasets.voc import voc_palette


def classes_and_palette(
    cfg: Any,
    checkpoint: Mapping[str, Any] | None,
    number: int,
    classes: Sequence[str] | str | os.PathLike | None = None,
    palette: Sequence[Sequence[int]] | None = None,
) -> tuple[tuple[str, ...], list[list[int]]]:
    """Names and colours: the given ones, else the checkpoint's, else those of the config's data set.

    Args:
        cfg: The config.
        checkpoint: With the ``meta`` that MMEngine stores.
        number: 1 + C, the outputs of the network.
        classes: 1 + C names, the background first, or the file that lists them.
        palette: 1 + C colours (R, G, B); VOC's where nobody gives any.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: There are no names, or not as many as outputs.
    """
    for source, found, colours in _candidates(cfg, checkpoint, classes):
        if not found:
            continue
        if len(found) != number:
            raise ValueError(
                f'{source}: {len(found)} classes, expected {number}, one an output of the network'
            )
        chosen = palette or colours
        if chosen is not None and len(chosen) < number:
            raise ValueError(f'{source}: {len(chosen)} colours for {number} classes')
        return tuple(found), [list(map(int, row)) for row in (chosen or voc_palette(number))][
            :number
        ]
    raise ValueError(
        'the names of the classes are neither in the checkpoint nor in the config; give them: '
        "classes=('background', ...) or classes='classes.txt'"
    )


def _candidates(
    cfg: Any,
    checkpoint: Mapping[str, Any] | None,
    classes: Sequence[str] | str | os.PathLike | None,
) -> list[tuple[str, Sequence[str], Any]]:
    """(where from, names, colours or None), what counts first first."""
    if isinstance(classes, (str, os.PathLike)):
        return [(str(classes), read_classes(classes), None)]
    if classes is not None:
        return [('classes', check_classes(classes, 'classes'), None)]
    found: list[tuple[str, Sequence[str], Any]] = []
    stored = ((checkpoint or {}).get('meta') or {}).get('dataset_meta') or {}
    found.append(('checkpoint: dataset_meta', stored.get('classes') or (), stored.get('palette')))
    for name in ('test', 'val', 'train'):
        dataset = (cfg.get(f'{name}_dataloader') or {}).get('dataset') or {}
        info = dataset.get('metainfo') or {}
        found.append(
            (f'config: metainfo of {name}', info.get('classes') or (), info.get('palette'))
        )
        file = dataset.get('classes_file')
        if file:
            path = Path(dataset.get('data_root') or '', file)
            if path.is_file():
                found.append((str(path), read_classes(path), None))
    return found
