"""Run all stages of a pipeline in order, from image tags to a segmentation model; what is finished is skipped.

The long form of `mmppc run`.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmppc_cli.run import add_arguments, main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    return parser.parse_args()


if __name__ == '__main__':
    try:
        raise SystemExit(main(parse_args()))
    except KeyboardInterrupt:
        print('\nstopped; the same command continues', file=sys.stderr)
        raise SystemExit(130) from None
