"""The ``mmppc`` command: a subcommand a file, imported when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    'run': 'from tagged pictures to a segmentation model: all stages in order, continued where they were stopped',
    'doctor': 'check the installation and a data set, before hours are spent on them',
    'predict': 'maps and masks of new pictures by a trained network',
    'report': 'one HTML page about a run: figures, curves, pictures',
}
INTERRUPTED = 130


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of all subcommands; only ``command`` gets its arguments, which may need its module."""
    parser = argparse.ArgumentParser(
        prog='mmppc',
        description='Weakly supervised semantic segmentation: from pictures that only have tags to a model that draws '
        'masks.',
        epilog='A first run on pictures drawn by code: mmppc run ppc_seam_toy. More about a subcommand: mmppc '
        'SUBCOMMAND --help.',
    )
    subparsers = parser.add_subparsers(dest='command', metavar='SUBCOMMAND', required=True)
    for name, summary in COMMANDS.items():
        child = subparsers.add_parser(name, help=summary, description=_sentence(summary))
        if name == command:
            importlib.import_module(f'mmppc_cli.{name}').add_arguments(child)
    return parser


def _sentence(text: str) -> str:
    return f'{text[0].upper()}{text[1:]}.'


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand; its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = arguments[0] if arguments and arguments[0] in COMMANDS else None
    args = build_parser(command).parse_args(arguments)
    try:
        return importlib.import_module(f'mmppc_cli.{args.command}').main(args)
    except KeyboardInterrupt:
        print('\nstopped; the same command continues', file=sys.stderr)
        return INTERRUPTED
