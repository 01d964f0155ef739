"""Train the network that a config describes."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmppc.utils import runner as run
from mmppc.utils.checkpoint_space import check_checkpoint_space
from mmppc.utils.transform_lists import check_crops
from mmppc.utils.user_errors import user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='resume from PATH, or without it from the latest checkpoint of the work folder',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--no-validate', action='store_true', help='do not validate while training')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate with the batch size'
    )
    run.add_common_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with user_errors():
        cfg = run.load_config(args)
        if args.amp:
            run.use_amp(cfg)
        if args.auto_scale_lr:
            run.use_auto_scale_lr(cfg)
        if args.no_validate:
            cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        run.use_resume(cfg, args.resume)
        run.use_checkpoint_check(cfg, strict=cfg.get('resume', False))
        check_crops(cfg)
        runner = run.build_runner(cfg)
        check_checkpoint_space(runner)
        runner.train()


if __name__ == '__main__':
    main()
