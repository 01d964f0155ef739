"""Plot what ContrastQualityHook wrote in one or several trainings: pseudo labels and prototypes over the iterations.

A line a training, by the name of its work folder; folders of the same name by their paths.

Example: plot_contrast_quality.py work_dirs/ppc_seam_toy work_dirs/ppc_seam_toy_published --out quality.svg
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmppc.storage.atomic import atomic_write
from mmppc.storage.contrast_quality import NAME, read_evaluations
from mmppc.utils.user_errors import user_errors
from mmppc.visualization.contrast_plot import plot_contrast_quality


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'work_dirs', nargs='+', type=Path, metavar='WORK_DIR', help=f'folders that hold a {NAME}'
    )
    parser.add_argument('--out', type=Path, required=True, metavar='FILE.svg', help='the figure')
    args = parser.parse_args()
    with user_errors():
        if args.out.suffix.lower() != '.svg':
            raise ValueError(f'--out: found {str(args.out)!r}, expected a file named *.svg')
        text = plot_contrast_quality(read_runs(args.work_dirs))
        with atomic_write(args.out, 'w') as file:
            file.write(text)
    print(args.out)


def read_runs(folders: list[Path]) -> dict[str, list[dict]]:
    """The evaluations of each folder, by its name.

    Raises:
        FileNotFoundError: If a folder has none.
    """
    names = [folder.resolve().name for folder in folders]
    runs = {}
    for folder, name in zip(folders, names):
        path = folder / NAME
        if not path.is_file():
            raise FileNotFoundError(
                f'{path}: no such file, expected the work folder of a training with '
                "default_hooks.contrast_quality=dict(type='ContrastQualityHook')"
            )
        runs[name if names.count(name) == 1 else str(folder)] = read_evaluations(path)
    return runs


if __name__ == '__main__':
    main()
