"""Draw the toy set in VOC's layout; a set that is there already is kept."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmppc.datasets.toy import draw_toy_set
from mmppc.datasets.toy_drawing import STYLES
from mmppc.utils.user_errors import user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('root', metavar='DIR', help='folder to write; missing or empty')
    parser.add_argument('--num-train', type=int, default=300, help='pictures (default: 300)')
    parser.add_argument('--num-val', type=int, default=100, help='pictures (default: 100)')
    parser.add_argument('--size', type=int, default=128, help='typical side (default: 128)')
    parser.add_argument('--seed', type=int, default=0, help='decides every picture (default: 0)')
    parser.add_argument(
        '--style',
        default='toy',
        choices=sorted(STYLES),
        help='parts: larger bodies, scenes that give more classes away (default: toy)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with user_errors():
        root = draw_toy_set(
            args.root, args.num_train, args.num_val, args.size, args.seed, args.style
        )
    print(f'{root}: {args.num_train} train and {args.num_val} val pictures')


if __name__ == '__main__':
    main()
