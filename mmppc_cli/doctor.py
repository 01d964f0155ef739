"""``mmppc doctor``: is the installation fit, and is a data set what a training expects?"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mmppc_cli.alone import load_alone

if TYPE_CHECKING:
    from mmppc.doctor.finding import Finding, Section
    from mmppc.doctor.layout import Layout

MISUSE = 2

EPILOG = """\
examples:
  mmppc doctor                                          the installation alone
  mmppc doctor data/voc6                                and a folder in VOC's layout
  mmppc doctor photos --tags photos.csv                 and your own pictures with their tags
  mmppc doctor --config configs/ppc_seam_laptop.py --cfg-options data_root=photos
                                                        and the data and files that a config names
  mmppc doctor photos --no-installation --json doctor.json

An error is what a training refuses; a warning is what it accepts, but what is doubtful. Exit code: 0 without errors,
1 with errors (--strict: or warnings), 2 if the command itself is wrong."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        'data_root',
        nargs='?',
        type=Path,
        metavar='DATA_ROOT',
        help='folder of a data set; without it, and without --config, only the installation is checked',
    )
    data = parser.add_argument_group(
        'data set',
        "paths below DATA_ROOT or as they stand; what is not given is looked for in VOC's layout: JPEGImages, "
        'SegmentationClass, ImageSets/Segmentation/{train,val}.txt, tags.csv or Annotations, classes.txt. Without '
        'JPEGImages all pictures below DATA_ROOT count',
    )
    data.add_argument(
        '--tags',
        type=Path,
        metavar='FILE',
        help='tags: CSV (image,tags), JSON or folder of VOC XML files',
    )
    data.add_argument(
        '--classes',
        type=Path,
        metavar='FILE',
        help='names of the classes, one a line, background first',
    )
    data.add_argument('--masks', type=Path, metavar='DIR', help='folder of index masks (PNG)')
    data.add_argument('--pictures', type=Path, metavar='DIR', help='folder of the pictures')
    data.add_argument(
        '--train-list', type=Path, metavar='FILE', help='pictures to train on, one a line'
    )
    data.add_argument(
        '--val-list', type=Path, metavar='FILE', help='pictures to measure on, one a line'
    )
    data.add_argument(
        '--config',
        metavar='CONFIG',
        help="take paths and classes from a config's data loaders, or a pipeline's data",
    )
    data.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='override settings of the config, as for tools/train.py',
    )
    data.add_argument(
        '--work-dir',
        type=Path,
        metavar='DIR',
        help='where a training is going to write (default: work_dirs): is there room?',
    )
    data.add_argument(
        '--workers',
        type=int,
        metavar='N',
        help='processes that decode pictures (default: as many as are worth starting)',
    )
    output = parser.add_argument_group('output')
    output.add_argument('--no-installation', action='store_true', help='check the data set alone')
    output.add_argument(
        '--all', action='store_true', help='list everything a finding is about, not the first few'
    )
    output.add_argument('--json', type=Path, metavar='FILE', help='write the findings as JSON too')
    output.add_argument('--strict', action='store_true', help='exit with 1 on warnings too')


def main(args: argparse.Namespace) -> int:
    """Run the checks; the exit code."""
    try:
        check_arguments(args)
    except ValueError as error:
        print(f'error: {error}', file=sys.stderr)
        return MISUSE
    finding = load_alone('doctor/finding.py')
    rendering = load_alone('doctor/rendering.py')
    sections: list[Section] = []
    if not args.no_installation:
        found = _installation(args.work_dir or Path('work_dirs'))
        sections.append(finding.Section('Installation', found))
        rendering.render(sections[-1], every=args.all)
    if args.data_root is not None or args.config is not None:
        reason = _import_error(sections)
        if reason:
            what = finding.Finding(
                'data set', 'error', f'not checked, as mmppc cannot be imported: {reason}',
                'mend the installation first, see mmppc doctor',
            )  # fmt: skip
            sections.append(finding.Section('Data set', [what]))
        else:
            from mmppc.utils.user_errors import user_errors

            with user_errors():
                sections.append(_data_section(args))
        rendering.render(sections[-1], every=args.all)
    totals = finding.count(sections)
    code = finding.exit_code(sections, strict=args.strict)
    print(rendering.summary(totals))
    if args.json is not None:
        content = rendering.as_json(sections, totals, code)
        try:
            with load_alone('storage/atomic.py').atomic_write(args.json, 'w') as file:
                json.dump(content, file, indent=2, ensure_ascii=False)
        except OSError as error:
            print(f'error: --json {args.json} cannot be written: {error}', file=sys.stderr)
            return MISUSE
    return code


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse what makes no sense together.

    Raises:
        ValueError: Says what.
    """
    wants_data = args.data_root is not None or args.config is not None
    if args.no_installation and not wants_data:
        raise ValueError(
            '--no-installation leaves nothing to check: name a DATA_ROOT or a --config'
        )
    options = ('tags', 'classes', 'masks', 'pictures', 'train_list', 'val_list')
    idle = [name for name in options if getattr(args, name) is not None]
    if idle and not wants_data:
        raise ValueError(f'--{idle[0].replace("_", "-")} is about a data set: name its DATA_ROOT')
    if args.cfg_options and args.config is None:
        raise ValueError('--cfg-options is about a config: name it with --config')
    if args.workers is not None and args.workers < 0:
        raise ValueError(f'--workers {args.workers}: expected 0 (none) or more')
    if args.data_root is not None and not args.data_root.is_dir():
        raise ValueError(f'data folder not found: {args.data_root}')


def _installation(work_dir: Path) -> list[Finding]:
    from mmppc_cli.installation import check_installation

    if sys.stderr.isatty():
        print('importing the installed packages ...', end='\r', file=sys.stderr, flush=True)
    found = check_installation(work_dir)
    if sys.stderr.isatty():
        print(' ' * 40, end='\r', file=sys.stderr, flush=True)
    return found


def _import_error(sections: list[Section]) -> str:
    """Why mmppc cannot be imported, empty if it can."""
    for section in sections:
        for found in section.findings:
            # Do not try again here what may have crashed another process.
            if found.check in ('Python', 'import mmppc') and found.status == 'error':
                return found.found
    try:
        importlib.import_module('mmppc')
    except Exception as error:  # AssertionError and what else packages raise at import
        return f'{type(error).__name__}: {error}'
    return ''


def _data_section(args: argparse.Namespace) -> Section:
    """Findings about the data set.

    Raises:
        ValueError: If the config is wrong.
        OSError: If a path of the command line is not there.
    """
    from mmppc.doctor import Section, examine

    layout, work_dir = _layout(args)
    findings = examine(layout, work_dir, workers=args.workers, progress=True)
    return Section(f'Data set {layout.source}', findings)


def _layout(args: argparse.Namespace) -> tuple[Layout, Path]:
    """Where the files are, and the work folder."""
    from mmppc.doctor.layout import OPTIONS, config_layout, folder_layout

    given = {name: getattr(args, name) for name in OPTIONS}
    work_dir = args.work_dir or Path('work_dirs')
    if args.config is None:
        return folder_layout(args.data_root, given), work_dir
    from mmengine.config import Config

    from mmppc.utils.config_file import parse_options, read_config
    from mmppc.utils.places import find_pipeline

    path = Path(args.config) if Path(args.config).is_file() else find_pipeline(args.config)
    options = parse_options(args.cfg_options)
    try:
        cfg = Config.fromfile(str(path))
    except Exception as error:  # a config is a program, which may raise anything
        raise ValueError(f'{path}: not a config: {type(error).__name__}: {error}') from error
    if cfg.get('stages') is not None:
        cfg.merge_from_dict(options)
        work_dir = args.work_dir or Path('work_dirs') / path.stem
        return _pipeline_layout(cfg.to_dict(), path, args.data_root, given), work_dir
    if args.data_root is not None:
        if 'data_root' not in cfg:
            raise ValueError(f'{path} has no data_root: override its own settings by --cfg-options')
        options.setdefault('data_root', str(args.data_root))
    cfg = read_config(str(path), options, None if args.work_dir is None else str(args.work_dir))
    root = args.data_root or Path(cfg.get('data_root') or '.')
    layout = config_layout(cfg.to_dict(), str(path), root=root, given=given)
    return layout, Path(cfg.work_dir)


def _pipeline_layout(cfg: dict, path: Path, root: Path | None, given: dict) -> Layout:
    """The layout that a pipeline's ``data`` describe."""
    from mmengine.config import Config

    from mmppc.doctor.layout import folder_layout

    data = cfg.get('data') or {}
    if root is None and data.get('toy') is not None:
        raise ValueError(f'{path} draws its own pictures: there is nothing to check before its run')
    classes = None
    if data.get('classes') is None:  # then the configs of its stages name them
        first = next(stage['config'] for stage in cfg['stages'].values() if stage.get('config'))
        stage = Config.fromfile(str(path.parent / first))
        metainfo = stage.train_dataloader.dataset.get('metainfo') or {}
        classes = tuple(metainfo['classes']) if metainfo.get('classes') else None
    return folder_layout(root or Path(data.get('root') or '.'), given, data, classes)
