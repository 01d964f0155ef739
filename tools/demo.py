"""From tags to a segmentation model on the toy set: train PPC-SEAM, seeds, CRF masks, DeepLab, test."""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from prettytable import PrettyTable

from mmppc.datasets.toy import draw_toy_set
from mmppc.datasets.toy_shapes import TOY_CLASSES
from mmppc.datasets.voc import voc_palette
from mmppc.pipeline.contact_sheet import write_contact_sheet
from mmppc.pipeline.stage_process import run_stage
from mmppc.utils.runner import user_errors

ROOT = Path(__file__).resolve().parents[1]
VAL_LIST = 'ImageSets/Segmentation/val.txt'
TRAIN_LIST = 'ImageSets/Segmentation/train.txt'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    parser.add_argument('--num-train', type=int, default=300, help='pictures drawn for training')
    parser.add_argument('--num-val', type=int, default=100, help='pictures drawn for validation')
    parser.add_argument('--iters', type=int, help='iterations of both trainings, to cut them short')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--rows', type=int, default=8, help='pictures on the contact sheet')
    return parser.parse_args()


class Demo:
    """The stages in order. Started again, trainings resume; finished seeds and masks are not made again."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.work = args.work_dir.resolve()
        self.data = self.work / 'data'
        self.cam, self.seg = self.work / 'ppc_seam', self.work / 'deeplab'
        self.number = 0

    def _run(self, title: str, script: str, *arguments: str) -> None:
        self.number += 1
        log = self.work / 'logs' / f'{self.number}_{Path(script).stem}.log'
        command = [sys.executable, str(ROOT / 'tools' / script), *arguments]
        run_stage(f'{self.number}/7 {title}', command, log)

    def _options(self, *options: str, train: bool = False) -> list[str]:
        result = [f'data_root={self.data}', f'mask_dir={self.cam / "masks"}', *options]
        result.append(f'randomness.seed={self.args.seed}')
        if train and self.args.iters is not None:
            iters = self.args.iters
            result += [
                f'train_cfg.max_iters={iters}',
                f'train_cfg.val_interval={iters}',
                f'param_scheduler.0.end={iters + 1}',
                f'default_hooks.checkpoint.interval={iters}',
                'default_hooks.logger.interval=1',
            ]
        return ['--cfg-options', *result]

    def train(self, title: str, config: str, folder: Path) -> Path:
        """Train, or continue an interrupted training; the final checkpoint."""
        options = self._options(train=True)
        arguments = (config, '--work-dir', str(folder), '--no-validate', '--resume', *options)
        self._run(title, 'train.py', *arguments)
        return Path((folder / 'last_checkpoint').read_text().strip())

    def seeds(self, title: str, checkpoint: Path, split: str, listing: str, *more: str) -> dict:
        """Seeds of a split, and the report of their metric."""
        options = self._options(
            f'test_dataloader.dataset.ann_file={listing}', f'test_evaluator.0.split={split}', *more
        )
        config = str(ROOT / 'configs/ppc_seam_toy.py')
        self._run(
            title,
            'test.py',
            config,
            str(checkpoint),
            '--tta',
            '--work-dir',
            str(self.cam),
            *options,
        )
        return read_report(self.cam / f'seed_metric_{split}.json')

    def masks(self) -> dict:
        """Pseudo masks of the training pictures, and their report."""
        config = str(ROOT / 'configs/ppc_seam_toy.py')
        self._run(
            'masks: seeds + CRF',
            'make_masks.py',
            config,
            '--work-dir',
            str(self.cam),
            *self._options(),
        )
        return read_report(self.cam / 'masks' / 'masks.json')

    def segmentation(
        self, title: str, checkpoint: Path, split: str, listing: Path, out: Path
    ) -> dict:
        """Test DeepLab, and the report of its metric."""
        options = self._options(
            f'test_dataloader.dataset.ann_file={listing}', f'test_evaluator.split={split}'
        )
        config = str(ROOT / 'configs/deeplab-largefov_resnet38_toy.py')
        self._run(
            title,
            'test.py',
            config,
            str(checkpoint),
            '--tta',
            '--work-dir',
            str(self.seg),
            '--out',
            str(out),
            *options,
        )
        return read_report(self.seg / f'mask_metric_{split}.json')

    def run(self) -> None:
        """All stages, the table and the contact sheet."""
        start = time.time()
        draw_toy_set(self.data, self.args.num_train, self.args.num_val, seed=self.args.seed)
        cam = self.train('train PPC on SEAM', str(ROOT / 'configs/ppc_seam_toy.py'), self.cam)
        train = self.seeds('seeds of train', cam, 'train', TRAIN_LIST)
        threshold = train['best_threshold']
        val = self.seeds(
            'seeds of val', cam, 'val', VAL_LIST, f'test_evaluator.0.threshold={threshold:.2f}'
        )
        masks = self.masks()
        seg = self.train(
            'train DeepLab', str(ROOT / 'configs/deeplab-largefov_resnet38_toy.py'), self.seg
        )
        final = self.segmentation(
            'test DeepLab on val', seg, 'val', self.data / VAL_LIST, self.seg / 'val'
        )
        shown = self._shown()
        self.segmentation('draw', seg, 'shown', shown, self.seg / 'shown')
        tags = read_report(self.cam / 'tag_metric_val.json')
        print(self.table(tags, train, val, masks, final))
        sheet = self.work / 'contact_sheet.png'
        self.sheet(shown, sheet, threshold)
        print(f'contact sheet: {sheet}')
        print(f'{time.time() - start:.0f} s; logs in {self.work / "logs"}')

    def _shown(self) -> Path:
        """A list of the pictures on the contact sheet: the first training pictures."""
        names = (self.data / TRAIN_LIST).read_text().split()[: self.args.rows]
        path = self.work / 'shown.txt'
        path.write_text('\n'.join(names) + '\n')
        return path

    @staticmethod
    def table(tags: dict, train: dict, val: dict, masks: dict, final: dict) -> PrettyTable:
        """The demo's figures with their conditions, all from the reports of the stages."""
        table = PrettyTable(['figure', 'value (%)', 'split', 'conditions'])
        table.align = 'l'
        source = train['best_threshold_chosen_on']
        best = f'threshold {train["best_threshold"]:g}, best on {source}'
        given = f'threshold {val["given_threshold"]["threshold"]:g} from {source}'
        made = f'threshold {masks["threshold"]:g} from {source}; CRF {masks["crf"]}'
        rows = [
            ('tag mAP', tags['mAP'], tags['split'], variants(tags)),
            ('seed mIoU', train['mIoU'], train['split'], f'{variants(train)}; {best}'),
            (
                'seed mIoU',
                val['given_threshold']['mIoU'],
                val['split'],
                f'{variants(val)}, given tags; {given}',
            ),
            ('mask mIoU', masks['mIoU'], train['split'], made),
            ('final mIoU', final['mIoU'], final['split'], f'{variants(final)}; CRF {final["crf"]}'),
        ]
        for name, value, split, conditions in rows:
            table.add_row([name, f'{value:.1f}', split, conditions])
        return table

    def sheet(self, shown: Path, path: Path, threshold: float) -> None:
        """Write the contact sheet."""
        rows = [
            {
                'picture': self.data / 'JPEGImages' / f'{name}.jpg',
                'truth': self.data / 'SegmentationClass' / f'{name}.png',
                'seed': self.cam / 'seeds' / f'{name}.npz',
                'mask': self.cam / 'masks' / f'{name}.png',
                'prediction': self.seg / 'shown' / f'{name}.png',
            }
            for name in shown.read_text().split()
        ]
        write_contact_sheet(path, rows, threshold=threshold, palette=voc_palette(len(TOY_CLASSES)))


def read_report(path: Path) -> dict:
    """What a stage wrote about its figures."""
    return json.loads(path.read_text(encoding='utf-8'))


def variants(report: dict) -> str:
    """Scales and flip of a report's figures, in words."""
    conditions = report['conditions']
    scales = ', '.join(f'{scale:g}' for scale in conditions['scales'])
    return f'scales {scales}{" + flip" if conditions["flip"] else ", no flip"}'


def main() -> None:
    args = parse_args()
    with user_errors():
        Demo(args).run()


if __name__ == '__main__':
    main()
