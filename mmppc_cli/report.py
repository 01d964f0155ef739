"""``mmppc report``: one HTML page about a run."""

from __future__ import annotations

import argparse

EPILOG = """\
example:
  mmppc report work_dirs/ppc_seam_voc
writes work_dirs/ppc_seam_voc/report.html. Open it in a browser, copy it, send it: it needs no other file and no
network. It also works while the run goes on, and after one that failed; what is not there yet is left out.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        'work_dir',
        metavar='WORK_DIR',
        help='work folder of mmppc run, of one of its stages, or of tools/train.py and tools/test.py',
    )
    parser.add_argument(
        '--out', metavar='FILE', help='where to write the page (default: WORK_DIR/report.html)'
    )
    parser.add_argument(
        '--max-pictures',
        type=int,
        default=96,
        metavar='N',
        help='how many pictures to put into the page at most, about 45 kB each; 0 for none (default: %(default)s)',
    )
    parser.add_argument(
        '--title', metavar='TEXT', help="heading of the page (default: the run's name)"
    )
    parser.add_argument(
        '--workers',
        type=int,
        metavar='N',
        help='processes that measure the single pictures; 0 to work in this one (default: one a CPU)',
    )


def main(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from pathlib import Path

    from mmppc.report import write_report
    from mmppc.utils.user_errors import user_errors

    with user_errors():
        if args.workers is not None and args.workers < 0:
            raise ValueError(f'--workers {args.workers}: expected 0 or more')
        path = write_report(
            Path(args.work_dir),
            None if args.out is None else Path(args.out),
            max_pictures=args.max_pictures,
            title=args.title,
            workers=args.workers,
            progress=True,
        )
    print(f'{path} ({path.stat().st_size / 2**20:.1f} MB)')
    return 0
