"""Stands in for the tools: writes what each stage would, and fails where it is told to."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path


def whole_checkpoint(path: Path) -> None:
    """A file that counts as a whole checkpoint: torch writes zip files."""
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('weights', path.stem)


class FakeStages:
    """A command runner that leaves each tool's files; ``fail_at`` names a script that is 'killed' half way."""

    def __init__(self, fail_at: str | None = None, best: float = 0.31) -> None:
        self.fail_at = fail_at
        self.best = best
        self.done: list[str] = []
        self.commands: list[list[str]] = []

    def __call__(
        self, title: str, command: Sequence[str], log_file: Path, *, pass_fds: Sequence[int] = ()
    ) -> None:
        arguments = list(command)
        self.commands.append(arguments)
        place = next(index for index, item in enumerate(arguments) if item.endswith('.py'))
        script = Path(arguments[place]).stem
        arguments = arguments[place + 1 :]  # the config comes first
        work = Path(arguments[arguments.index('--work-dir') + 1])
        if script == 'train':
            whole_checkpoint(work / 'iter_1.pth')
        if self.fail_at in (title, script):
            raise ChildProcessError(f'{title} was killed')
        getattr(self, script)(work, arguments)
        self.done.append(work.name)

    def train(self, work: Path, arguments: list[str]) -> None:
        whole_checkpoint(work / 'iter_2.pth')
        # A kill may leave the one before in it.
        (work / 'last_checkpoint').write_text('/elsewhere/iter_1.pth')

    def test(self, work: Path, arguments: list[str]) -> None:
        from mmengine.config import Config

        cfg = Config.fromfile(arguments[0])
        evaluators = cfg.test_evaluator
        first = evaluators[0] if isinstance(evaluators, list) else evaluators
        assert Path(arguments[1]).is_file()
        conditions = dict(scales=[1.0], flip=True)
        if '--out' in arguments:
            out = Path(arguments[arguments.index('--out') + 1])
            out.mkdir()
            (out / 'a.png').write_text('mask')
        if 'masks' in (cfg.get('default_hooks') or {}):  # a random walk leaves its masks
            (work / 'masks').mkdir(exist_ok=True)
            (work / 'masks' / 'a.png').write_text('mask')
        if first['type'] == 'MaskMetric':
            name, report = 'mask_metric', dict(mIoU=44.0, crf='none')
        else:
            (work / 'seeds').mkdir(exist_ok=True)
            (work / 'seeds' / 'a.npz').write_text('seed')
            name, report = 'seed_metric', dict(mIoU=50.0, best_threshold=self.best)
            report['best_threshold_chosen_on'] = first['split']
            if first.get('threshold') is not None:
                report['given_threshold'] = dict(threshold=first['threshold'], mIoU=40.0)
        report |= dict(split=first['split'], conditions=conditions)
        (work / f'{name}_{first["split"]}.json').write_text(json.dumps(report))

    def make_masks(self, work: Path, arguments: list[str]) -> None:
        out = Path(arguments[arguments.index('--out') + 1])
        out.mkdir(exist_ok=True)
        (out / 'a.png').write_text('mask')
        report = dict(mIoU=45.0, threshold=self.best, crf='seed')
        (out / 'masks.json').write_text(json.dumps(report))
