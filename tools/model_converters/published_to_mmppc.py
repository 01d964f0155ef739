"""Convert published weights of ResNet38, SEAM, PPC, AffinityNet or IRN to a checkpoint of mmppc.

SRC is recognised by its content: the ImageNet weights of ResNet38 as mxnet's .params (mxnet is not
needed), or a PyTorch state dict of the backbone, of SEAM, of PPC on SEAM, of AffinityNet or of IRN's
boundary network. DST holds everything under the names of a CAMSegmentor or an AffinitySegmentor; use
it in a config as

    load_from = 'DST'                                   # a whole network
    model = dict(backbone=dict(init_cfg=dict(           # the backbone of any of them
        type='Pretrained', checkpoint='DST', prefix='backbone.')))
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from mmppc.storage.atomic import atomic_write
from mmppc.utils.published import convert_published
from mmppc.utils.runner import user_errors


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', metavar='SRC', help='published .params or .pth file')
    parser.add_argument('dst', metavar='DST', help='checkpoint to write')
    args = parser.parse_args()
    with user_errors():
        checkpoint = convert_published(args.src)
        with atomic_write(args.dst) as file:
            torch.save(checkpoint, file)
    meta, state = checkpoint['meta'], checkpoint['state_dict']
    print(f'{args.src} ({meta["network"]}, {meta["format"]}): {len(state)} tensors -> {args.dst}')


if __name__ == '__main__':
    main()
