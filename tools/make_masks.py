"""Turn the seeds of a config's test pictures into pseudo masks."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from prettytable import PrettyTable

import mmppc  # noqa: F401
from mmppc.functional.refine import METHODS
from mmppc.refinement.masks import REPORT, make_pseudo_masks
from mmppc.refinement.records import picture_records
from mmppc.utils.config_file import ConfigOptions, read_config
from mmppc.utils.user_errors import user_errors

STAGE_KEYS = (
    'seed_dir',
    'out_dir',
    'threshold',
    'threshold_from',
    'alpha',
    'refine',
    'crf',
    'device',
    'workers',
)
BACKGROUND_KEYS = ('threshold', 'threshold_from', 'alpha')
DEFAULT_THRESHOLD = 0.26
DEFAULT_CRF = 'seed'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Options left out are taken from the config's mask_stage = dict(seed_dir=, out_dir=, "
        'threshold=, threshold_from= or alpha=, refine=, crf=, device=, workers=); the folders default to seeds and '
        'masks in the work folder.',
    )
    parser.add_argument('config', help='config file; the pictures are those of its test_dataloader')
    parser.add_argument('--seeds', dest='seed_dir', metavar='DIR', help='folder of the seeds')
    parser.add_argument('--out', dest='out_dir', metavar='DIR', help='folder of the masks')
    threshold = parser.add_mutually_exclusive_group()
    threshold.add_argument(
        '--threshold', type=float, help=f'background score in [0, 1) (default: {DEFAULT_THRESHOLD})'
    )
    threshold.add_argument(
        '--threshold-from',
        metavar='JSON',
        help='seed_metric_<split>.json of SeedMetric: its best threshold',
    )
    threshold.add_argument(
        '--alpha',
        type=float,
        help='background score (1 - max of the scores) ** ALPHA in place of a threshold (EPS: 8)',
    )
    parser.add_argument(
        '--refine', choices=METHODS, help='refinement by the picture (default: densecrf)'
    )
    parser.add_argument(
        '--crf',
        metavar='PRESET',
        help=f"preset of the dense CRF, or 'none' for no refinement (default: {DEFAULT_CRF})",
    )
    parser.add_argument(
        '--device', help='where pamr is computed (default: cuda where there is one, else cpu)'
    )
    parser.add_argument('--workers', type=int, help='processes (default: one a CPU)')
    parser.add_argument('--overwrite', action='store_true', help='make masks again that exist')
    parser.add_argument(
        '--work-dir', help='where seeds and masks are by default (default: work_dirs/<config>)'
    )
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, metavar='KEY=VALUE')
    return parser.parse_args()


def stage_settings(cfg: Config, args: argparse.Namespace) -> dict[str, Any]:
    """The config's ``mask_stage``, overridden by the command line."""
    stage = dict(cfg.get('mask_stage') or {})
    unknown = sorted(set(stage) - set(STAGE_KEYS))
    if unknown:
        raise ValueError(f'mask_stage: unknown {unknown}, expected some of {list(STAGE_KEYS)}')
    given = {key: getattr(args, key) for key in STAGE_KEYS if getattr(args, key) is not None}
    named = [key for key in BACKGROUND_KEYS if stage.get(key) is not None]
    if given.keys() & {*BACKGROUND_KEYS}:
        for key in BACKGROUND_KEYS:
            stage.pop(key, None)
    elif len(named) > 1:
        raise ValueError(f'mask_stage: {" and ".join(named)}, expected only one of them')
    if 'crf' in given and 'refine' not in given:
        stage.pop('refine', None)  # the command line asks for this CRF, or for none
    elif 'refine' in given and 'crf' not in given and stage.get('crf') in (None, 'none'):
        stage.pop('crf', None)
    stage |= given
    work_dir = Path(cfg.work_dir)
    stage.setdefault('seed_dir', str(work_dir / 'seeds'))
    stage.setdefault('out_dir', str(work_dir / 'masks'))
    report = stage.get('threshold_from')
    if report and Path(report).name == report and not Path(report).exists():
        stage['threshold_from'] = str(work_dir / report)
    return stage


def resolve_background(stage: dict[str, Any]) -> dict[str, Any]:
    """Threshold or alpha, and where it came from, as :func:`make_pseudo_masks` takes them."""
    if stage.get('alpha') is not None:
        return dict(alpha=float(stage['alpha']), threshold_source='given')
    threshold, source = _resolve_threshold(stage)
    return dict(threshold=threshold, threshold_source=source)


def _resolve_threshold(stage: dict[str, Any]) -> tuple[float, str]:
    path = stage.get('threshold_from')
    if not path:
        given = stage.get('threshold')
        return (DEFAULT_THRESHOLD, 'default') if given is None else (float(given), 'given')
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'{path}: no such file, expected the seed_metric_<split>.json that tools/test.py writes'
        )
    try:
        report = json.loads(Path(path).read_text(encoding='utf-8'))
        return float(report['best_threshold']), f'best of {path}, chosen on {report["split"]!r}'
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path}: not a seed_metric_<split>.json, expected best_threshold and split ({error})'
        ) from error


def resolve_refinement(stage: dict[str, Any]) -> dict[str, str]:
    """Method, CRF preset and device, as :func:`make_pseudo_masks` takes them."""
    method, crf = stage.get('refine'), stage.get('crf', DEFAULT_CRF)
    if crf in (None, 'none'):
        if method == 'densecrf':
            raise ValueError(
                "refine='densecrf' with crf='none', expected a preset of the dense CRF"
            )
        method, crf = method or 'none', DEFAULT_CRF
    method = method or 'densecrf'
    device = stage.get('device') or ('cuda' if torch.cuda.is_available() else 'cpu')
    return dict(method=method, crf=crf, device=device)


def build_dataset(cfg: Config) -> Any:
    """The test set, whose pictures are not loaded here."""
    settings = dict(cfg.test_dataloader.dataset)
    if 'pipeline' in settings:
        settings['pipeline'] = []
    return DATASETS.build(settings)


def describe(report: dict[str, Any], out_dir: str) -> str:
    """What was made, and how good it is where that is known."""
    refinement = 'PAMR' if report['refine'] == 'pamr' else f'CRF {report["crf"]}'
    background = (
        f'background (1 - max)^{report["alpha"]:g}'
        if report['threshold'] is None
        else f'threshold {report["threshold"]:g}'
    )
    text = (
        f'{report["pictures"]} masks in {out_dir} ({report["written"]} made now): {background} '
        f'({report["threshold_source"]}), {refinement}'
    )
    if report['IoU'] is None:
        return f'{text}; no truth to compare with'
    table = PrettyTable()
    table.add_column('Class', list(report['IoU']))
    table.add_column('IoU', ['-' if iou is None else iou for iou in report['IoU'].values()])
    return (
        f'{text}; mIoU {report["mIoU"]} on the {report["evaluated"]} pictures with truth\n{table}'
    )


def main() -> None:
    args = parse_args()
    with user_errors():
        cfg = read_config(args.config, args.cfg_options, args.work_dir)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        stage = stage_settings(cfg, args)
        background = resolve_background(stage)
        dataset = build_dataset(cfg)
        report = make_pseudo_masks(
            picture_records(dataset),
            seed_dir=stage['seed_dir'],
            out_dir=stage['out_dir'],
            **background,
            classes=dataset.metainfo['classes'],
            palette=dataset.metainfo['palette'],
            **resolve_refinement(stage),
            workers=stage.get('workers'),
            overwrite=args.overwrite,
            progress=True,
        )
        print(describe(report, stage['out_dir']))
        print(f'recorded in {Path(stage["out_dir"]) / REPORT}')


if __name__ == '__main__':
    try:
        main()
    except KeyboardInterrupt:
        print('\nstopped; start it again to continue', file=sys.stderr)
        raise SystemExit(130) from None
