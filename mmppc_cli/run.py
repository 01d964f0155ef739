"""``mmppc run``: all stages of a pipeline in order."""

from __future__ import annotations

import argparse
from pathlib import Path

DEFAULT = 'ppc_seam_laptop'

EPILOG = """\
examples:
  mmppc run ppc_seam_toy                                  pictures drawn by code: a first run, some minutes
  mmppc run --data-root photos --tags tags.csv            your own pictures with tags, on a laptop
  mmppc run ppc_seam_voc --data-root VOCdevkit/VOC2012 --gpus 2
  mmppc run ppc_seam_voc --dry-run                        what would be done, and why

The same command again continues: finished stages are skipped, interrupted ones go on, and a stage that was made from
other settings or data is run again; --dry-run says which setting or file that was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand, and of tools/run_pipeline.py."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        'config',
        nargs='?',
        default=DEFAULT,
        help=f'pipeline: a file, or the name of one in configs/pipelines (default: {DEFAULT})',
    )
    data = parser.add_argument_group('data', 'paths may also be given below the data folder')
    data.add_argument('--data-root', type=Path, metavar='DIR', help='folder of the data')
    data.add_argument(
        '--tags',
        type=Path,
        metavar='FILE',
        help='tags: CSV (image,tags), JSON or folder of VOC XML files',
    )
    data.add_argument(
        '--pictures',
        type=Path,
        metavar='DIR',
        help='folder of the pictures, searched with its subfolders',
    )
    data.add_argument(
        '--masks',
        type=Path,
        metavar='DIR',
        help='folder of true masks (PNG), to measure with; never trained on',
    )
    data.add_argument(
        '--classes',
        type=Path,
        metavar='FILE',
        help='names of the classes, one a line, background first',
    )
    data.add_argument(
        '--train-list', type=Path, metavar='FILE', help='pictures to train on, one a line'
    )
    data.add_argument(
        '--val-list', type=Path, metavar='FILE', help='pictures to measure the result on'
    )
    run = parser.add_argument_group('run')
    run.add_argument(
        '--work-dir',
        type=Path,
        metavar='DIR',
        help='where everything goes (default: work_dirs/<pipeline>)',
    )
    run.add_argument(
        '--gpus',
        type=int,
        default=1,
        metavar='N',
        help='processes, one a GPU (default: 1, which may be a CPU)',
    )
    run.add_argument('--seed', type=int, metavar='N', help='of everything random')
    run.add_argument(
        '--iters',
        type=int,
        metavar='N',
        help='cut every training short, to see whether all stages run',
    )
    run.add_argument('--from', dest='first', metavar='STAGE', help='first stage to run')
    run.add_argument('--until', dest='last', metavar='STAGE', help='last stage to run')
    run.add_argument('--only', metavar='STAGE', help='the only stage to run')
    run.add_argument(
        '--dry-run', action='store_true', help='say what would be done and why, do nothing'
    )
    run.add_argument('--no-report', action='store_true', help='write no report at the end')
    run.add_argument(
        '--cfg-options',
        nargs='+',
        metavar='KEY=VALUE',
        help='override settings: STAGE.setting=value in the config of a stage, data.x, threshold.x or stages.x in the '
        'pipeline itself',
    )


def main(args: argparse.Namespace) -> int:
    """Run the pipeline; exit code 0, or 2 after an error that has a message."""
    from mmppc.utils.user_errors import user_errors

    with user_errors():
        _run(args)
    return 0


def _run(args: argparse.Namespace) -> None:
    from mmppc.pipeline.run import RunOptions, figures_table, run_pipeline, show_plan
    from mmppc.utils.config_file import parse_options
    from mmppc.utils.places import find_pipeline

    if args.only is not None and (args.first is not None or args.last is not None):
        raise ValueError('--only together with --from or --until, expected either')
    for name, value, least in (
        ('--gpus', args.gpus, 1),
        ('--iters', args.iters, 1),
        ('--seed', args.seed, 0),
    ):
        if value is not None and value < least:
            raise ValueError(f'{name} {value}: expected at least {least}')
    config = find_pipeline(args.config)
    work_dir = (args.work_dir or Path('work_dirs') / config.stem).resolve()
    options = RunOptions(
        config=config,
        work_dir=work_dir,
        data={
            'root': args.data_root,
            'tags': args.tags,
            'pictures': args.pictures,
            'masks': args.masks,
            'classes': args.classes,
            'train_list': args.train_list,
            'val_list': args.val_list,
        },
        options=parse_options(args.cfg_options or []),
        gpus=args.gpus,
        seed=args.seed,
        iters=args.iters,
        first=args.only or args.first,
        last=args.only or args.last,
    )
    if args.dry_run:
        show_plan(options)
        return
    table = figures_table(run_pipeline(options))
    if table.rows:
        print(table)
    print(f'everything is in {work_dir}')
    if not args.no_report:
        from mmppc.report import write_report

        print(f'report: {write_report(work_dir)}')
