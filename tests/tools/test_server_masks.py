"""tools/test.py writes the masks that the VOC server scores, of pictures without truth."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from PIL import Image

from mmppc.datasets import draw_toy_set
from mmppc.datasets.voc import voc_palette
from mmppc.utils.config_file import read_config
from tests.tools.tiny import ROOT, run_tool

CONFIG = f"""
_base_ = [{str(ROOT / 'configs/deeplab-largefov_resnet38_toy.py')!r}]
model = dict(
    backbone=dict(base_channels=2), decode_head=dict(in_channels=128, channels=8, num_classes=7)
)
test_dataloader = dict(num_workers=0, persistent_workers=False)
"""
SIZES = {'server_1': (70, 45), 'server_2': (33, 64)}  # width, height


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """A tiny network, its weights, and two pictures of a split without truth."""
    folder = tmp_path_factory.mktemp('server')
    data = draw_toy_set(folder / 'toy', num_train=2, num_val=1, size=64)
    noise = np.random.default_rng(0)
    for name, (width, height) in SIZES.items():
        picture = noise.integers(256, size=(height, width, 3), dtype=np.uint8)
        Image.fromarray(picture).save(data / 'JPEGImages' / f'{name}.jpg')
    (folder / 'test.txt').write_text('\n'.join(SIZES))
    config = folder / 'tiny_deeplab.py'
    config.write_text(CONFIG)
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(read_config(str(config)).model)
    model.init_weights()
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, folder / 'weights.pth')
    return config


def write(config, out, *options):
    """Run the tool on the split; the masks by name."""
    folder = config.parent
    done = run_tool(
        config, 'test', str(config), 'weights.pth', '--out', out, '--work-dir', f'work_{out}',
        *(['--tta'] if out == 'tta' else []),
        '--cfg-options', f'data_root={folder / "toy"}', 'test_evaluator.format_only=True',
        f'test_dataloader.dataset.ann_file={folder / "test.txt"}', *options,
    )  # fmt: skip
    return done, {path.stem: path for path in (folder / out).glob('*')}


@pytest.mark.slow
@pytest.mark.parametrize('out', ['plain', 'tta'])
def test_masks_for_the_server(config, out):
    options = ['test_dataloader.dataset.require_masks=False']
    if out == 'tta':
        pytest.importorskip('pydensecrf')
        options.append('test_evaluator.crf=deeplab')
    done, masks = write(config, out, *options)
    assert done.returncode == 0, done.stderr
    assert masks.keys() == SIZES.keys()
    for name, path in masks.items():
        with Image.open(path) as mask:
            assert (path.suffix, mask.mode, mask.size) == ('.png', 'P', SIZES[name])
            values = np.array(mask)
            colours = np.array(mask.getpalette()).reshape(-1, 3)[:7]
        assert values.max() < 7
        np.testing.assert_array_equal(colours, voc_palette(7))
    # Nothing was scored, so there is nothing to report.
    assert not list((config.parent / f'work_{out}').glob('mask_metric_*.json'))


@pytest.mark.slow
def test_a_split_without_truth_is_refused_unless_that_is_meant(config):
    done, masks = write(config, 'refused')
    assert done.returncode == 2
    assert 'pictures without a mask' in done.stderr
    assert not masks
