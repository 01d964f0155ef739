"""Draw the parts set and pretrain the backbone that experiments on it start from; what is there is kept."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmppc.pipeline.parts_data import prepare_parts
from mmppc.utils.user_errors import user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', metavar='DIR', help='folder to write; missing or empty')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with user_errors():
        root = prepare_parts(args.root)
    print(f'{root}: pictures and backbone.pth are there')


if __name__ == '__main__':
    main()
