"""``mmppc predict``: maps and masks of new pictures by a trained network."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

EPILOG = """\
examples:
  mmppc predict work_dirs/ppc_seam_laptop photos --out out         the model that `mmppc run` has trained, a folder
  mmppc predict work_dirs/ppc_seam_laptop --stage cam photos --out out --tags tags.csv
                                                                   its CAM network, told what the pictures show
  mmppc predict configs/deeplab-largefov_resnet38_voc.py a.jpg b.png film.mp4 --out out --checkpoint iter_20000.pth

What is written, per picture:
  out/masks/NAME.png     the class of each pixel, as palette PNG (0 is the background)
  out/overlays/NAME.jpg  to look at: picture, heat of each tag, mask
  out/seeds/NAME.npz     CAM networks: the maps themselves

The same command again continues: finished files are kept, and made again only if the picture, the network or a setting
has changed."""

_LINES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument(
        'model',
        metavar='MODEL',
        help='work folder of a pipeline or of a training, or a config file (then with --checkpoint)',
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='pictures, folders of pictures (searched with their subfolders) or videos',
    )
    parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='where files go')
    network = parser.add_argument_group('network')
    network.add_argument(
        '--checkpoint', metavar='FILE', help='weights (default: the last ones in the work folder)'
    )
    network.add_argument(
        '--stage',
        metavar='NAME',
        help='of a pipeline: which trained stage (default: the last, which is the segmentation network)',
    )
    network.add_argument(
        '--tta',
        action='store_true',
        help='several scales and flips: better, and several times slower',
    )
    network.add_argument('--device', help='cpu, cuda, cuda:1, ... (default: cuda if there is one)')
    network.add_argument(
        '--batch-size', type=int, default=1, metavar='N', help='pictures at once (default: 1)'
    )
    network.add_argument(
        '--classes',
        type=Path,
        metavar='FILE',
        help='names of the classes, one a line, background first (default: as stored with the network)',
    )
    masks = parser.add_argument_group('masks')
    masks.add_argument(
        '--tags',
        metavar='TAGS',
        help='CAM networks: what the pictures show, as a CSV (image,tags), a JSON, a folder of VOC XML files, or names '
        'for all pictures, divided by commas (default: predicted by the network)',
    )
    masks.add_argument(
        '--tag-threshold',
        type=float,
        metavar='P',
        help="CAM networks: probability above which a tag is predicted (default: the config's, 0.5)",
    )
    masks.add_argument(
        '--threshold',
        metavar='T',
        help='CAM networks: background score in [0, 1), or a seed_metric_SPLIT.json, whose best one is taken (default: '
        "the one chosen in the work folder, else the config's)",
    )
    masks.add_argument(
        '--crf',
        metavar='PRESET',
        help="refine the masks by a dense CRF: 'seed' for CAM networks, 'deeplab' for segmentation networks",
    )
    masks.add_argument(
        '--workers', type=int, metavar='N', help='processes for the CRF (default: one a CPU)'
    )
    files = parser.add_argument_group('files')
    files.add_argument(
        '--what',
        metavar='KINDS',
        help='what to write, of masks,overlays,seeds (default: all that the network makes)',
    )
    files.add_argument('--overwrite', action='store_true', help='make all files again')
    files.add_argument(
        '--skip-broken',
        action='store_true',
        help='report pictures that cannot be read, and go on with the others',
    )
    files.add_argument(
        '--frame-step',
        type=int,
        default=1,
        metavar='N',
        help='of videos take every Nth frame (default: 1)',
    )


def main(args: argparse.Namespace) -> int:
    """Predict; exit code 0, or 2 after an error that has a message."""
    from mmppc.utils.user_errors import user_errors

    with user_errors():
        _predict(args)
    return 0


def _predict(args: argparse.Namespace) -> None:
    from mmppc.apis import CAMInferencer, open_network
    from mmppc.apis.output_folder import picture_stream
    from mmppc.utils.worker_pool import default_workers

    pictures = picture_stream(args.inputs, args.frame_step, args.out)
    inferencer, found = open_network(
        args.model,
        args.checkpoint,
        args.stage,
        device=args.device,
        tta=args.tta,
        classes=args.classes,
    )
    options: dict[str, Any] = dict(
        crf=args.crf,
        crf_workers=default_workers() if args.workers is None else args.workers,
        what=None if args.what is None else _names(args.what),
        overwrite=args.overwrite,
        skip_broken=args.skip_broken,
    )
    kind = 'segmentation network'
    tags = None
    if isinstance(inferencer, CAMInferencer):
        kind = 'CAM network'
        tags = _tags(args.tags)
        options['threshold'] = _threshold(args.threshold, found.threshold)
        options['tag_threshold'] = args.tag_threshold
    else:
        _refuse_cam_options(args)
    print(f'{kind}: {found.title}, {found.checkpoint}, on {inferencer.device}')
    results = inferencer.iterate(pictures, tags, args.batch_size, args.out, **options)
    summary = _Summary()
    for result in _shown(results, pictures.total):
        summary.add(result)
    if not summary.pictures:
        raise ValueError(
            f'none of the pictures can be read; the first: {inferencer.broken[0]["error"]}'
        )
    print(summary.text(args.out, inferencer.broken))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(',') if name.strip()]


def _tags(text: str | None) -> str | list[str] | None:
    """A file as it is, names as a list."""
    if text is None or Path(text).exists() or Path(text).suffix.lower() in ('.csv', '.json'):
        return text
    return _names(text)


def _threshold(text: str | None, chosen: Any) -> Any:
    """A number, a file, or what was chosen in the work folder."""
    if text is None:
        return chosen
    try:
        return float(text)
    except ValueError:
        return text


def _refuse_cam_options(args: argparse.Namespace) -> None:
    for name in ('tags', 'threshold', 'tag_threshold'):
        if getattr(args, name) is not None:
            option = '--' + name.replace('_', '-')
            raise ValueError(
                f'{option} is for CAM networks, {args.model} is a segmentation network; of a pipeline, --stage names '
                'another one'
            )


class _Summary:
    """Counts of what was predicted."""

    def __init__(self) -> None:
        self.pictures = 0
        self.finished = 0
        self.given = 0
        self.tags: Counter[str] = Counter()
        self.folders: list[str] = []
        self.threshold = ''

    def add(self, result: dict[str, Any]) -> None:
        self.pictures += 1
        self.finished += result['finished']
        self.folders = list(result['files'])
        if 'tags' in result:
            self.given += result['tags_given']
            self.tags.update(list(result['tags']))
            self.threshold = f'{result["threshold"]:g} ({result["threshold_source"]})'

    def text(self, out: Path, broken: list[dict[str, str]]) -> str:
        lines = [f'{self.pictures} pictures, {self.pictures - self.finished} of them now']
        if broken:
            names = ', '.join(item['sample_id'] for item in broken[:5])
            more = ', ...' if len(broken) > 5 else ''
            lines.append(f'{len(broken)} left out, they cannot be read: {names}{more}')
        if self.threshold:
            predicted = self.pictures - self.given
            origin = [f'given for {self.given}'] if self.given else []
            origin += [f'predicted for {predicted}'] if predicted else []
            counts = ', '.join(f'{name} {number}' for name, number in self.tags.most_common())
            lines.append(f'tags ({", ".join(origin)}): {counts or "none"}')
            lines.append(f'threshold {self.threshold}')
        lines += [f'{kind:9} {out / kind}' for kind in self.folders]
        return '\n'.join(lines)


def _shown(results: Iterable[dict], total: int | None) -> Iterator[dict]:
    """The results, with a progress bar; where the output is no terminal, with a line every few percent."""
    from rich.console import Console
    from rich.progress import track

    console = Console()
    if console.is_terminal:
        yield from track(results, 'pictures', total=total, console=console)
        return
    step = -(-total // _LINES) if total else 100
    for number, result in enumerate(results, start=1):
        yield result
        if number % step == 0 or number == total:
            print(f'pictures {number}/{total or "?"}', flush=True)
