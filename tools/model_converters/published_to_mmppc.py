"""Convert published weights to a checkpoint of mmppc.

SRC is recognised by its content: the ImageNet weights of ResNet38 as mxnet's .params (mxnet is not needed), or
a PyTorch state dict of that backbone, of plain CAM (PSA's), SEAM, EPS, PPC on SEAM or on EPS, AffinityNet,
IRN's boundary network, or of the deep-stem ResNet101 of the retraining stage (resnet101s-03a0f310.pth). DST holds
everything under the names of this package; use it in a config as

    load_from = 'DST'                                   # a whole network
    model = dict(backbone=dict(init_cfg=dict(           # the backbone of any of them
        type='Pretrained', checkpoint='DST', prefix='backbone.')))

The background becomes channel 0: EPS has it last; plain CAM has none, and its channel 0 is zero.

Of a published DeepLab checkpoint the backbone is recognised; the names of the head's layers are not known, and
a first call lists them. Then say which is which:

    published_to_mmppc.py SRC DST --layers NAME=fov.conv NAME=fov.bn NAME=mix.conv NAME=mix.bn NAME=conv_seg
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from mmppc.storage.atomic import atomic_write
from mmppc.utils.published import convert_published
from mmppc.utils.published_names import NETWORKS
from mmppc.utils.user_errors import user_errors


def _pair(item: str) -> tuple[str, str]:
    published, equals, ours = item.partition('=')
    if not (published and equals and ours):
        raise ValueError(f'--layers {item}: expected PUBLISHED=OURS')
    return published, ours


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', metavar='SRC', help='published .params or .pth file')
    parser.add_argument('dst', metavar='DST', help='checkpoint to write')
    parser.add_argument(
        '--network',
        choices=NETWORKS,
        help='what SRC is, where its content leaves that open: CAM or EPS of other data than VOC and COCO',
    )
    parser.add_argument(
        '--layers',
        nargs='+',
        default=[],
        metavar='PUBLISHED=OURS',
        help='layers of the head of a DeepLab checkpoint, and which of ours they are',
    )
    args = parser.parse_args()
    with user_errors():
        layers = dict(_pair(item) for item in args.layers)
        checkpoint = convert_published(args.src, args.network, layers)
        with atomic_write(args.dst) as file:
            torch.save(checkpoint, file)
    meta, state = checkpoint['meta'], checkpoint['state_dict']
    print(f'{args.src} ({meta["network"]}, {meta["format"]}): {len(state)} tensors -> {args.dst}')


if __name__ == '__main__':
    main()
