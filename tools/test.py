"""Test a trained network as its config describes."""

import argparse
import copy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmppc.utils import runner as run
from mmppc.utils.evaluators import use_out_dir, use_reports
from mmppc.utils.transform_lists import augmentation
from mmppc.utils.user_errors import user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', metavar='DIR', help='write the predicted masks into DIR as PNG')
    parser.add_argument('--show-dir', metavar='DIR', help='draw the predictions into DIR')
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    run.add_common_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with user_errors():
        cfg = run.load_config(args)
        if not Path(args.checkpoint).is_file() and '://' not in args.checkpoint:
            raise FileNotFoundError(f'checkpoint not found: {args.checkpoint}')
        # So that the config in the work folder tests and trains other networks too, with or without augmentation.
        as_read = copy.deepcopy(cfg)
        cfg.load_from = args.checkpoint
        cfg.resume = False
        if args.tta:
            run.use_tta(cfg)
        variants = augmentation(cfg.test_dataloader.dataset.pipeline)
        use_reports(cfg, dict(checkpoint=args.checkpoint, tta=args.tta, **variants))
        if args.show_dir is not None:
            run.use_show_dir(cfg, args.show_dir)
        if args.out is not None:
            use_out_dir(cfg, args.out)
        run.use_checkpoint_check(cfg, strict=True)
        run.build_runner(cfg, as_read).test()


if __name__ == '__main__':
    main()
