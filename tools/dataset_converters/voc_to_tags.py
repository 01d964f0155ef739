"""Convert a folder of VOC XML annotations to a tag CSV, which is read much faster.

Every object counts, also difficult ones. TaggedImageDataset also takes the folder itself as
`tag_file`; both give the same tags.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmppc.datasets.names import read_classes
from mmppc.datasets.tags import load_tags, write_tags_csv
from mmppc.datasets.voc import VOC_CLASSES
from mmppc.utils.user_errors import user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'src', metavar='SRC', help='folder of annotations, e.g. VOC2012/Annotations'
    )
    parser.add_argument('dst', metavar='DST', help='CSV to write')
    parser.add_argument(
        '--classes-file', help='class names, one a line, background first (default: the 20 of VOC)'
    )
    parser.add_argument(
        '--ignore-unknown', action='store_true', help='pass over objects of other classes'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with user_errors():
        classes = (read_classes(args.classes_file) if args.classes_file else VOC_CLASSES)[1:]
        tags = load_tags(args.src, classes, ignore_unknown=args.ignore_unknown)
        rows = {key: [classes[k] for k in vector.nonzero()[0]] for key, vector in tags.items()}
        write_tags_csv(args.dst, rows)
    print(f'{args.src}: {len(rows)} pictures -> {args.dst}')


if __name__ == '__main__':
    main()
