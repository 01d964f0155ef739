"""Lay a COCO folder out as the configs expect it: tags, split lists, class names and index masks.

SRC holds annotations/instances_<split>.json and the pictures in <split>/ or images/<split>/. DST gets

  JPEGImages/<split>               a link to the pictures; what is there already is kept
  SegmentationClass/<split>/*.png  index masks: 0 background, 1 .. C, 255 in crowds
  ImageSets/Segmentation/<split>.txt         every picture
  ImageSets/Segmentation/<split>_tagged.txt  those with an object, for training from tags
  tags.csv                         every picture of all splits, also of earlier starts; without an object, no tag
  classes.txt                      background, then the categories by ascending id

Overlaps: crowds lie lowest, then the objects from the largest to the smallest. Started again, it leaves masks that
were made from the same objects.
"""

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tqdm import tqdm

from mmppc.datasets.coco import CocoPicture, read_instances
from mmppc.datasets.coco_masks import require_pycocotools, write_mask
from mmppc.datasets.tags import write_tags_csv
from mmppc.storage.atomic import atomic_write
from mmppc.utils.user_errors import user_errors
from mmppc.utils.worker_pool import WorkerPool, default_workers

LISTS = 'ImageSets/Segmentation'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', metavar='SRC', type=Path, help='COCO folder')
    parser.add_argument('dst', metavar='DST', type=Path, help='folder to write')
    parser.add_argument(
        '--splits', nargs='+', default=['train2014', 'val2014'], help='(default: train2014 val2014)'
    )
    parser.add_argument('--no-masks', action='store_true', help='only tags, lists and class names')
    parser.add_argument('--workers', type=int, help='processes (default: one a CPU)')
    return parser.parse_args()


def read_splits(
    src: Path, splits: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, list[CocoPicture]]]:
    """Class names, and the pictures of each split; ValueError if the splits differ in their categories."""
    classes: tuple[str, ...] = ()
    pictures = {}
    for split in splits:
        path = src / 'annotations' / f'instances_{split}.json'
        print(f'reading {path}', flush=True)
        found, pictures[split] = read_instances(path)
        if classes and found != classes:
            raise ValueError(f'{path}: other categories than in {splits[0]}')
        classes = found
    return classes, pictures


def link_pictures(src: Path, dst: Path, split: str) -> None:
    """Make ``JPEGImages/<split>`` lead to the split's pictures."""
    link = dst / 'JPEGImages' / split
    if link.exists():
        return
    folder = next(
        (src / name for name in (split, f'images/{split}') if (src / name).is_dir()), None
    )
    if folder is None:
        raise FileNotFoundError(f'{src}: expected the pictures in {split}/ or images/{split}/')
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(os.path.relpath(folder.resolve(), link.parent.resolve()), True)
    except OSError as error:
        raise OSError(
            f'{link}: cannot be linked to {folder} ({error}); copy or mount the pictures there'
        ) from error


def write_lines(path: Path, lines: Sequence[str]) -> None:
    with atomic_write(path, 'w') as file:
        file.writelines(f'{line}\n' for line in lines)


def tags_of_others(path: Path, splits: Sequence[str]) -> dict[str, list[str]]:
    """The tags that a former start with other splits has written."""
    if not path.is_file():
        return {}
    with open(path, newline='', encoding='utf-8') as file:
        rows = list(csv.reader(file))[1:]
    return {
        name: [tag for tag in cell.split(';') if tag]
        for name, cell in rows
        if name.split('/')[0] not in splits
    }


def write_one(item: tuple[CocoPicture, Path], classes: tuple[str, ...]) -> bool:
    return write_mask(*item, classes)


def write_masks(
    dst: Path, pictures: dict[str, list[CocoPicture]], classes: tuple[str, ...], workers: int | None
) -> int:
    """Write all masks in worker processes; how many had to be."""
    folder = dst / 'SegmentationClass'
    tasks = [
        (picture, folder / split / f'{picture.sample_id}.png')
        for split, items in pictures.items()
        for picture in items
    ]
    job = partial(write_one, classes=classes)
    pause = 0.1 if sys.stderr.isatty() else 30  # seconds between lines of a log
    with WorkerPool(default_workers() if workers is None else workers) as pool:
        results = pool.imap(job, tasks, chunk=16)
        return sum(tqdm(results, desc='masks', total=len(tasks), mininterval=pause))


def main() -> None:
    args = parse_args()
    with user_errors():
        if not args.no_masks:
            require_pycocotools()
        classes, pictures = read_splits(args.src, args.splits)
        tags = tags_of_others(args.dst / 'tags.csv', args.splits)
        for split, items in pictures.items():
            link_pictures(args.src, args.dst, split)
            names = [f'{split}/{picture.sample_id}' for picture in items]
            tags.update(
                {
                    name: [classes[label] for label in picture.labels]
                    for name, picture in zip(names, items)
                }
            )
            write_lines(args.dst / LISTS / f'{split}.txt', names)
            write_lines(args.dst / LISTS / f'{split}_tagged.txt', [n for n in names if tags[n]])
        write_lines(args.dst / 'classes.txt', classes)
        write_tags_csv(args.dst / 'tags.csv', tags)
        written = 0
        if not args.no_masks:
            written = write_masks(args.dst, pictures, classes, args.workers)
    counts = ', '.join(f'{len(items)} {split}' for split, items in pictures.items())
    print(f'{args.dst}: {counts}; {len(classes)} classes, {written} masks written')


if __name__ == '__main__':
    main()
