"""Convert published class activation maps to seeds of mmppc.

SRC_DIR holds .npy files as the published tools of SEAM, PSA, EPS, PPC or IRN save them: a pickled dict of
maps by class number without the background. Nothing but arrays, tensors, dicts and numbers is unpickled;
a file that asks for anything else is refused by name before any of it is run. OUT_DIR gets a seed
<name>.npz for each; started again, what is finished stays. Scores outside of [0, 1] are clipped and
reported. The folder serves as seed_dir of make_masks.py and of the configs of PSA and IRN.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rich.progress import track

from mmppc.datasets.names import PICTURE_SUFFIXES, list_files
from mmppc.utils.published_cams import convert_published_cams
from mmppc.utils.user_errors import user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src_dir', metavar='SRC_DIR', type=Path, help='folder of .npy files')
    parser.add_argument('out_dir', metavar='OUT_DIR', type=Path, help='folder of the seeds')
    parser.add_argument(
        '--classes',
        type=int,
        required=True,
        metavar='N',
        help='number of classes with the background, as num_classes in the configs (21 for VOC)',
    )
    parser.add_argument(
        '--img-dir',
        metavar='DIR',
        help='folder of the pictures; only for files without a class, which do not tell their size',
    )
    return parser.parse_args()


def convert(args: argparse.Namespace) -> None:
    """Convert every file, and say what had to be clipped."""
    if args.classes < 2:
        raise ValueError(f'--classes counts the background and a class, found {args.classes}')
    files = list_files(args.src_dir, ('.npy',))
    if not files:
        raise ValueError(f'{args.src_dir}: no .npy file')
    pictures = list_files(args.img_dir, PICTURE_SUFFIXES) if args.img_dir else {}
    written, clipped = 0, {}
    for name, (path, *_) in track(files.items(), 'seeds', disable=not sys.stdout.isatty()):
        picture = Path(args.img_dir, pictures[name][0]) if name in pictures else None
        src, dst = args.src_dir / path, args.out_dir / f'{name}.npz'
        found = convert_published_cams(src, dst, name, args.classes, picture)
        if found is not None:
            written += 1
            if found.outside is not None:
                clipped[path] = found.outside
    if clipped:
        low, high = (choose(ends) for choose, ends in zip((min, max), zip(*clipped.values())))
        print(
            f'clipped to [0, 1]: scores of {len(clipped)} files, which span {low:.4g} .. {high:.4g}: '
            f'{", ".join(list(clipped)[:5])}{", ..." if len(clipped) > 5 else ""}'
        )
    print(f'{written} seeds written, {len(files) - written} were finished -> {args.out_dir}')


def main() -> None:
    args = parse_args()
    with user_errors():
        convert(args)


if __name__ == '__main__':
    main()
