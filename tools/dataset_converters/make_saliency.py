"""Make saliency maps of a folder of pictures, for EPS where no learned detector is at hand.

border_contrast     colours unlike those along the picture's border, more so near the centre
spectral_residual   what is unusual in the spectrum (Hou and Zhang, 2007); small objects and outlines
fine_grained        differences of centre and surround, of OpenCV's contrib modules (pip install opencv-contrib-python,
                    in the place of opencv-python and of its very version: both own the module cv2)

All are much weaker than a learned detector of salient objects, which EPS's figures rest on: put such a detector's maps
into the folder instead where you can, one grey <picture>.png each. Maps that exist are not made again.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np
from PIL import Image
from rich.progress import track

from mmppc.datasets.names import PICTURE_SUFFIXES, list_files
from mmppc.functional.classical_saliency import border_contrast, spectral_residual
from mmppc.storage.atomic import atomic_write
from mmppc.storage.pictures import read_picture
from mmppc.utils.user_errors import user_errors

REPORT = 'saliency.json'


def by_border_contrast(picture: np.ndarray) -> np.ndarray:
    small = shrink(picture, 128).astype(np.float32) / 255
    return border_contrast(cv2.cvtColor(small, cv2.COLOR_RGB2LAB))


def by_spectral_residual(picture: np.ndarray) -> np.ndarray:
    return spectral_residual(shrink(picture, 64).mean(axis=2) / 255)


def by_fine_grained(picture: np.ndarray) -> np.ndarray:
    detector = cv2.saliency.StaticSaliencyFineGrained_create()
    found, saliency = detector.computeSaliency(np.ascontiguousarray(picture[..., ::-1]))
    if not found:
        raise ValueError('OpenCV finds no saliency')
    return saliency


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    'border_contrast': by_border_contrast,
    'spectral_residual': by_spectral_residual,
    'fine_grained': by_fine_grained,
}
"""Each takes (H, W, 3) uint8 RGB and returns float32 in [0, 1] of any size."""


def shrink(picture: np.ndarray, long_side: int) -> np.ndarray:
    """The picture with at most this many pixels along its longer side."""
    height, width = picture.shape[:2]
    ratio = min(1, long_side / max(height, width))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def write_map(source: Path, target: Path, method: str) -> None:
    """Make one picture's map, (H, W) 8-bit grey PNG."""
    picture = read_picture(source)
    try:
        saliency = METHODS[method](picture)
    except ValueError as error:
        raise ValueError(f'{source}: {error}') from error
    size = (picture.shape[1], picture.shape[0])
    whole = Image.fromarray(saliency).resize(size, Image.Resampling.BILINEAR)
    grey = Image.fromarray(np.round(255 * np.asarray(whole).clip(0, 1)).astype(np.uint8))
    with atomic_write(target) as file:
        grey.save(file, format='PNG')


def open_folder(folder: Path, method: str) -> None:
    """Record the method before the first map is made; ValueError if the folder's maps are of another origin."""
    report = folder / REPORT
    if report.is_file():
        found = json.loads(report.read_text(encoding='utf-8')).get('method')
    else:
        found = 'an unknown method' if next(folder.rglob('*.png'), None) else method
    if found != method:
        raise ValueError(
            f'{folder}: holds maps of {found}, expected {method}; choose another folder or delete this one'
        )
    with atomic_write(report, 'w') as file:
        file.write(json.dumps(dict(method=method, opencv=cv2.__version__)) + '\n')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', metavar='PICTURES', help='folder of pictures, e.g. JPEGImages')
    parser.add_argument('dst', metavar='FOLDER', help="where the maps go, e.g. the set's Saliency")
    parser.add_argument(
        '--method',
        choices=METHODS,
        default='border_contrast',
        help='see above (default: border_contrast)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with user_errors():
        if args.method == 'fine_grained' and not hasattr(cv2, 'saliency'):
            raise ImportError(
                f'OpenCV {cv2.__version__} has no module saliency: pip install --force-reinstall --no-deps '
                f'opencv-contrib-python, of the version of the installed opencv-python; or take another --method'
            )
        source, folder = Path(args.src), Path(args.dst)
        made = folder.resolve()  # maps of an earlier start, if they go below the pictures
        pictures = {
            name: paths
            for name, paths in list_files(source, PICTURE_SUFFIXES).items()
            if not (source / paths[0]).resolve().is_relative_to(made)
        }
        doubles = [paths for paths in pictures.values() if len(paths) > 1]
        if doubles:
            raise ValueError(f'{source}: pictures of one name: {doubles[0]}')
        if not pictures:
            raise ValueError(f'{source}: no pictures')
        open_folder(folder, args.method)
        missing = [name for name in pictures if not (folder / f'{name}.png').exists()]
        for name in track(missing, 'saliency maps', disable=not sys.stdout.isatty()):
            write_map(source / pictures[name][0], folder / f'{name}.png', args.method)
    print(
        f'{len(pictures)} saliency maps by {args.method} in {folder} ({len(missing)} made now); a learned detector '
        'makes better ones'
    )


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        print('\nstopped; start it again to continue', file=sys.stderr)
        raise SystemExit(130) from None
