"""Lay a folder per class of pictures out as the configs expect it: tags, split lists and class names.

SRC holds a folder for each class, SRC/cat/*.jpg and SRC/dog/*.jpg, with pictures in it at any depth. DST gets

  JPEGImages                         a link to SRC; nothing is copied (--copy: copies, for file systems without links)
  ImageSets/Segmentation/train.txt   the pictures to train on
  ImageSets/Segmentation/val.txt     every fifth picture of every class (--val-share, --seed)
  tags.csv                           the class folders of each picture
  classes.txt                        background, then the classes by name

Files of the same content are one picture: found in several class folders, it gets several tags. A picture that was
saved anew, at another size or quality, is not recognised. Pictures that show no class at all help too: --no-class NAME
names their folder.
"""

import argparse
import filecmp
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tqdm import tqdm

from mmppc.datasets.class_folders import ClassFolders, read_class_folders, stratified_split
from mmppc.datasets.names import check_classes, examples
from mmppc.datasets.tags import write_tags_csv
from mmppc.storage.atomic import atomic_write
from mmppc.utils.user_errors import user_errors

LISTS = 'ImageSets/Segmentation'
BACKGROUND = 'background'
SPLITS = {'train', 'training', 'val', 'valid', 'validation', 'test'}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', metavar='SRC', type=Path, help='folder of class folders')
    parser.add_argument('dst', metavar='DST', type=Path, help='folder to write; not inside SRC')
    parser.add_argument(
        '--val-share', type=float, default=0.2, help='part of the pictures in val (default: 0.2)'
    )
    parser.add_argument('--seed', type=int, default=0, help='decides which (default: 0)')
    parser.add_argument('--no-class', metavar='NAME', help='folder of pictures without any class')
    parser.add_argument('--copy', action='store_true', help='copy the pictures instead of a link')
    return parser.parse_args()


def show_progress(paths: Sequence[str]) -> Iterable[str]:
    pause = 0.1 if sys.stderr.isatty() else 30  # seconds between lines of a log
    return tqdm(paths, desc='reading pictures', mininterval=pause)


def check_folders(src: Path, dst: Path) -> None:
    """ValueError where a link to ``src`` would lead into itself."""
    if dst.resolve().is_relative_to(src.resolve()):
        raise ValueError(f'{dst}: is inside of {src}, expected a folder beside it')


def check_class_names(found: ClassFolders, src: Path) -> tuple[str, ...]:
    """1 + C names; ValueError if a folder is no class."""
    splits = [name for name in found.classes if name.lower() in SPLITS]
    if splits and len(splits) == len(found.classes):
        raise ValueError(
            f'{src}: its folders {splits} look like splits, expected classes; name the folder with the class folders, '
            f'such as {src / splits[0]}'
        )
    if BACKGROUND in found.classes:
        raise ValueError(
            f'{src / BACKGROUND}: the background is no class of its own; if these pictures show none of the classes, '
            f'add --no-class {BACKGROUND}'
        )
    return check_classes((BACKGROUND, *found.classes), str(src))


def link_pictures(src: Path, link: Path) -> None:
    """Make ``link`` lead to ``src``."""
    if os.path.lexists(link):
        if link.resolve() != src.resolve():
            raise FileExistsError(f'{link}: is there already and leads elsewhere than to {src}')
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(os.path.relpath(src.resolve(), link.parent.resolve()), True)
    except OSError as error:
        raise OSError(f'{link}: cannot be linked to {src} ({error}); try --copy') from error


def copy_pictures(src: Path, folder: Path, paths: Sequence[str]) -> None:
    """Copy the pictures that are missing or have changed since, each whole or not at all."""
    if folder.is_symlink() or folder.resolve() == src.resolve():
        raise FileExistsError(
            f'{folder}: leads to {folder.resolve()}, expected no link to copy into'
        )
    for path in tqdm(paths, desc='copying', disable=not sys.stderr.isatty()):
        if not (folder / path).exists() or not filecmp.cmp(src / path, folder / path):
            with open(src / path, 'rb') as source, atomic_write(folder / path) as target:
                shutil.copyfileobj(source, target)


def write_lines(path: Path, lines: Sequence[str]) -> None:
    with atomic_write(path, 'w') as file:
        file.writelines(f'{line}\n' for line in lines)


def describe(found: ClassFolders, classes: Sequence[str], splits: dict[str, list[str]]) -> str:
    """Pictures of each class in each split, and what is worth knowing."""
    counts = {
        split: Counter(tag for name in names for tag in found.tags[name])
        for split, names in splits.items()
    }
    width = max(map(len, (*classes, 'pictures')))
    rows = [('', *splits), ('pictures', *map(len, splits.values()))]
    rows += [(name, *(count[name] for count in counts.values())) for name in classes[1:]]
    lines = [f'{row[0]:{width}}' + ''.join(f'{cell:>8}' for cell in row[1:]) for row in rows]
    several = sum(len(tags) > 1 for tags in found.tags.values())
    lines.append(
        f'{several} pictures have several tags, {len(found.copies)} files are copies of others'
    )
    if found.loose:
        lines.append(f'left out, in no class folder: {examples(found.loose)}')
    if found.empty:
        lines.append(f'no class, without a picture: {examples(found.empty)}')
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    with user_errors():
        if not args.src.is_dir():
            raise FileNotFoundError(f'{args.src}: no such folder')
        check_folders(args.src, args.dst)
        found = read_class_folders(args.src, no_class=args.no_class, progress=show_progress)
        classes = check_class_names(found, args.src)
        train, val = stratified_split(found.tags, args.val_share, args.seed)
        splits = {'train': train, 'val': val} if val else {'train': train}
        if not val and (args.dst / LISTS / 'val.txt').exists():
            raise FileExistsError(
                f'{args.dst / LISTS / "val.txt"}: is of another split, in which val is not empty; delete it first'
            )
        if args.copy:
            copy_pictures(args.src, args.dst / 'JPEGImages', sorted(found.tags))
        else:
            link_pictures(args.src, args.dst / 'JPEGImages')
        write_tags_csv(args.dst / 'tags.csv', dict(sorted(found.tags.items())))
        write_lines(args.dst / 'classes.txt', classes)
        for split, names in splits.items():
            write_lines(args.dst / LISTS / f'{split}.txt', names)
    print(describe(found, classes, splits))
    print(f'{args.dst}: ready, e.g. for mmppc run ppc_seam_laptop --data-root {args.dst}')


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        print('\nstopped; start it again to continue', file=sys.stderr)
        raise SystemExit(130) from None
