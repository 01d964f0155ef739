"""The pictures of the page: scored, chosen, embedded, and told to its filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mmppc.report.columns import Column, PictureFiles, find_columns
from mmppc.report.picture_scores import PictureScores, score_pictures, shown
from mmppc.report.records import PREDICTIONS, SEEDS, Run
from mmppc.report.selection import OVERVIEW, Group, choose, make_groups
from mmppc.report.thumbnails import PictureImages, embed_picture
from mmppc.utils.worker_pool import WorkerPool

_WORTH_A_WORKER = 48


@dataclass(frozen=True)
class Cell:
    """A picture, or the picture under a layer.

    Attributes:
        title: What it shows.
        iou: Mean IoU in percent as text, or empty.
        layer: Data URI of what lies over the picture; empty for the picture alone.
        classes: Classes it shows.
        kind: ``photo``, ``truth``, ``heat`` or a kind of label map.
    """

    title: str
    iou: str
    layer: str
    classes: tuple[int, ...]
    kind: str


@dataclass(frozen=True)
class Card:
    """A picture with its cells.

    Attributes:
        key: Its place on the page.
        name: Sample id.
        split: Its split.
        photo: Data URI.
        size: (height, width) in pixels.
        classes: Foreground classes of its truth, or of its seed where there is no truth.
        cells: In the order they are shown.
    """

    key: int
    name: str
    split: str
    photo: str
    size: tuple[int, int]
    classes: tuple[int, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Gallery:
    """All cards, and what the filters need.

    Attributes:
        cards: The chosen pictures.
        columns: Columns that have an IoU in some split: those pictures can be ranked by.
        splits: Splits with cards.
        classes: Foreground classes that occur in some card.
        total: Pictures there are.
        control: JSON: values of the cards, members of the groups.
        confusions: Confusion matrices counted from the files, by split and column.
        notes: What could not be read.
    """

    cards: tuple[Card, ...]
    columns: tuple[Column, ...]
    splits: tuple[str, ...]
    classes: tuple[int, ...]
    total: int
    control: Mapping[str, Any]
    confusions: Mapping[tuple[str, str], np.ndarray]
    all_columns: tuple[Column, ...]
    notes: tuple[str, ...]

    @property
    def first_split(self) -> str:
        """The split to begin with: the one with predictions, what all is about, if there is one."""
        for column in self.all_columns:
            if column.kind == PREDICTIONS:
                return next((s for s in self.splits if s in column.stages), self.splits[0])
        return self.splits[0]

    @property
    def ranked_splits(self) -> tuple[str, ...]:
        """Splits with truth."""
        return tuple(dict.fromkeys(group['split'] for group in self.control['groups']))


def make_gallery(run: Run, *, max_pictures: int, workers: int, progress: bool = False) -> Gallery:
    """Score all pictures of a run, choose some, and embed these.

    Args:
        run: The run.
        max_pictures: How many to embed at most.
        workers: Processes; 0 to work in this one.
        progress: Show progress.
    """
    columns, found = find_columns(run)
    pictures = [picture for picture in found if picture.files]
    scores, confusions = score_pictures(
        pictures, columns, len(run.data.classes), workers=workers, progress=progress
    )
    of = [picture.split for picture in pictures]
    names = [picture.record.sample_id for picture in pictures]
    splits = [split for split in run.data.splits if split in of]
    groups = make_groups(splits, [column.key for column in columns], scores, of)
    places = choose(groups, scores, of, names, max_pictures)
    images = _embed(run, columns, pictures, places, workers, progress)
    cards = tuple(
        _card(run, columns, pictures[place], scores[place], images[place], key)
        for key, place in enumerate(place for place in places if images[place].photo is not None)
    )
    kept = [place for place in places if images[place].photo is not None]
    ranked = {group.column for group in groups}
    notes = [note for item in scores for note in item.notes]
    notes += [note for place in places for note in images[place].notes]
    return Gallery(
        cards=cards,
        columns=tuple(column for column in columns if column.key in ranked),
        splits=tuple(split for split in splits if any(card.split == split for card in cards)),
        classes=tuple(sorted({label for card in cards for label in card.classes})),
        total=len(pictures),
        control=_control(groups, scores, kept, cards),
        confusions=confusions,
        all_columns=tuple(columns),
        notes=tuple(dict.fromkeys(notes)),
    )


def _embed(
    run: Run,
    columns: Sequence[Column],
    pictures: Sequence[PictureFiles],
    places: Sequence[int],
    workers: int,
    progress: bool,
) -> dict[int, PictureImages]:
    job = partial(embed_picture, tuple(columns), run.data.palette)
    images = {}
    with WorkerPool(min(workers, len(places) // _WORTH_A_WORKER)) as pool:
        results = pool.imap(job, ((place, pictures[place]) for place in places), chunk=4)
        for place, result in shown(results, len(places), 'thumbnails', progress):
            images[place] = result
    return images


def _card(
    run: Run,
    columns: Sequence[Column],
    picture: PictureFiles,
    score: PictureScores,
    images: PictureImages,
    key: int,
) -> Card:
    labels = {column.key: column for column in columns}
    cells = [Cell('picture', '', '', (), 'photo')]
    for layer in images.layers:
        if layer.key == 'truth':
            cells.append(Cell('truth', '', layer.image, layer.classes, 'truth'))
        elif layer.label is not None:
            name = run.data.classes[layer.label]
            cells.append(Cell(f'heat: {name}', '', layer.image, (layer.label,), 'heat'))
        else:
            column = labels[layer.key]
            title = column.label
            if column.kind == SEEDS and column.threshold is not None:
                title = f'{title} at {column.threshold:g}'
            found = score.scores.get(layer.key)
            iou = '' if found is None else f'{found.mean:.1f}'
            cells.append(Cell(title, iou, layer.image, layer.classes, column.kind))
    return Card(
        key=key,
        name=picture.record.sample_id,
        split=picture.split,
        photo=images.photo or '',
        size=images.size,
        classes=score.classes,
        cells=tuple(cells),
    )


def _control(
    groups: Sequence[Group],
    scores: Sequence[PictureScores],
    kept: Sequence[int],
    cards: Sequence[Card],
) -> dict[str, Any]:
    """What the filters need: values of the cards, and which cards each group's best, median and worst are."""
    keys = {place: key for key, place in enumerate(kept)}
    content = []
    for card, place in zip(cards, kept, strict=True):
        values = {
            column: [
                round(score.mean, 1),
                {str(k): round(v, 1) for k, v in score.classes.items() if k in card.classes},
            ]
            for column, score in scores[place].scores.items()
        }
        content.append(
            {'split': card.split, 'name': card.name, 'classes': card.classes, 'iou': values}
        )
    listed = [
        {
            'split': group.split,
            'column': group.column,
            'label': group.label,
            'total': group.total,
            **{
                kind: [keys[place] for place in members if place in keys]
                for kind, members in group.members.items()
            },
            'sizes': {kind: len(members) for kind, members in group.members.items()},
        }
        for group in groups
    ]
    return {'overview': OVERVIEW, 'cards': content, 'groups': listed}
