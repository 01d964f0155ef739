"""Convert the published cls_labels.npy (SEAM, PSA, EPS, IRN, PPC) to a tag CSV.

The file is a pickle; only dicts of numpy arrays are admitted from it. Use the CSV in a config as
`tag_file` of TaggedImageDataset.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmppc.datasets.names import read_classes
from mmppc.datasets.published_labels import read_published_labels
from mmppc.datasets.tags import write_tags_csv
from mmppc.datasets.voc import VOC_CLASSES
from mmppc.utils.user_errors import user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', metavar='SRC', help='cls_labels.npy')
    parser.add_argument('dst', metavar='DST', help='CSV to write')
    parser.add_argument(
        '--classes-file', help='class names, one a line, background first (default: the 20 of VOC)'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with user_errors():
        classes = read_classes(args.classes_file) if args.classes_file else VOC_CLASSES
        tags = read_published_labels(args.src, classes[1:])
        write_tags_csv(args.dst, tags)
    print(f'{args.src}: {len(tags)} pictures -> {args.dst}')


if __name__ == '__main__':
    main()
