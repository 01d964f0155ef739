"""Add the masks of SBD to VOC 2012: the training set of 10,582 pictures that papers call train_aug.

SBD holds dataset/ with cls/ (or inst/), train.txt and val.txt, as its archive benchmark_RELEASE does; dataset/ itself
will do. VOC holds JPEGImages/, SegmentationClass/ and ImageSets/Segmentation/{train,val}.txt. VOC gets

  ImageSets/Segmentation/train_aug.txt   SBD's train and val and VOC's train, without VOC's val; sorted
  SegmentationClassAug/*.png             a palette PNG for each: VOC's own mask in train, SBD's otherwise

SBD's lists are another split than VOC's: pictures of VOC's val are in them, and are left out. SBD's masks have no void
borders. Training from tags needs the list alone (--no-masks). Started again, it goes on where it was stopped.
"""

import argparse
import sys
from collections import Counter
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tqdm import tqdm

from mmppc.datasets.names import examples, read_lines
from mmppc.datasets.sbd import ANNOTATIONS, TRAIN_AUG_PICTURES, train_aug_names, write_aug_mask
from mmppc.storage.atomic import atomic_write
from mmppc.utils.user_errors import user_errors
from mmppc.utils.worker_pool import WorkerPool, default_workers

LISTS = 'ImageSets/Segmentation'
LIST = f'{LISTS}/train_aug.txt'
MASKS = 'SegmentationClassAug'

Task = tuple[Path, Path, Path]
"""Source, picture and target of a mask."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('sbd', metavar='SBD', type=Path, help='folder of SBD')
    parser.add_argument('voc', metavar='VOC', type=Path, help='folder VOC2012, also written to')
    parser.add_argument(
        '--annotations',
        choices=ANNOTATIONS,
        default='cls',
        help='which of SBD\'s folders the masks are made of; "inst" gives the class of each object (default: cls)',
    )
    parser.add_argument('--no-masks', action='store_true', help='only the list')
    parser.add_argument('--overwrite', action='store_true', help='make masks again that exist')
    parser.add_argument('--workers', type=int, help='processes (default: one a CPU)')
    return parser.parse_args()


def find_dataset(sbd: Path) -> Path:
    """The folder with SBD's lists."""
    for folder in (sbd / 'dataset', sbd, sbd / 'benchmark_RELEASE/dataset'):
        if (folder / 'train.txt').is_file() and (folder / 'val.txt').is_file():
            return folder
    raise FileNotFoundError(
        f"{sbd}: expected dataset/train.txt and dataset/val.txt, as in SBD's archive benchmark_RELEASE"
    )


def plan_masks(names: list[str], dataset: Path, voc: Path, annotation: str) -> list[Task]:
    """What each mask is made of; FileNotFoundError if anything is missing."""
    official = set(read_lines(voc / LISTS / 'train.txt'))
    tasks = []
    for name in names:
        own = voc / 'SegmentationClass' / f'{name}.png'
        source = own if name in official else dataset / annotation / f'{name}.mat'
        tasks.append((source, voc / 'JPEGImages' / f'{name}.jpg', voc / MASKS / f'{name}.png'))
    for kind, paths in (('masks', [t[0] for t in tasks]), ('pictures', [t[1] for t in tasks])):
        missing = [str(path) for path in paths if not path.is_file()]
        if missing:
            raise FileNotFoundError(
                f'{LIST} names {len(names)} pictures, of which {kind} are missing: {examples(missing)}'
            )
    return tasks


def write_one(task: Task, annotation: str, overwrite: bool) -> str:
    return write_aug_mask(*task, annotation=annotation, overwrite=overwrite)


def write_masks(tasks: list[Task], args: argparse.Namespace) -> Counter[str]:
    """Write the masks in worker processes; how many were written, kept or foreign."""
    job = partial(write_one, annotation=args.annotations, overwrite=args.overwrite)
    pause = 0.1 if sys.stderr.isatty() else 30  # seconds between lines of a log
    with WorkerPool(default_workers() if args.workers is None else args.workers) as pool:
        results = pool.imap(job, tasks, chunk=16)
        return Counter(tqdm(results, desc='masks', total=len(tasks), mininterval=pause))


def main() -> None:
    args = parse_args()
    with user_errors():
        dataset = find_dataset(args.sbd)
        lists = {
            'VOC train': read_lines(args.voc / LISTS / 'train.txt'),
            'VOC val': read_lines(args.voc / LISTS / 'val.txt'),
            'SBD train': read_lines(dataset / 'train.txt'),
            'SBD val': read_lines(dataset / 'val.txt'),
        }
        names = train_aug_names(*lists.values())
        print(', '.join(f'{name} {len(items)}' for name, items in lists.items()), flush=True)
        if len(names) != TRAIN_AUG_PICTURES:
            print(
                f'warning: train_aug has {len(names)} pictures, expected {TRAIN_AUG_PICTURES}: a list above is not '
                'that of VOC 2012 (train 1464, val 1449) or SBD (train 8498, val 2857)',
                file=sys.stderr,
            )
        if not args.no_masks:
            done = write_masks(plan_masks(names, dataset, args.voc, args.annotations), args)
            print(
                f'{args.voc / MASKS}: {len(names)} masks, {done["written"]} made now, {done["kept"]} made before'
            )
            if done['foreign']:
                print(
                    f'warning: {done["foreign"]} of them were there already and are not by this tool with these '
                    'options; they are left as they are (--overwrite makes them again)',
                    file=sys.stderr,
                )
        # Last, so that a list that is there has its masks.
        with atomic_write(args.voc / LIST, 'w') as file:
            file.writelines(f'{name}\n' for name in names)
    print(f'{args.voc / LIST}: {len(names)} pictures')


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        print('\nstopped; start it again to continue', file=sys.stderr)
        raise SystemExit(130) from None
