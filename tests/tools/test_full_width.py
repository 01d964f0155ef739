"""The paper's network at full width takes steps on a CPU."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
NAMES = ('2007_000001', '2007_000002')


def voc_folder(root: Path) -> Path:
    """Two pictures in VOC's layout, tagged by their annotation files."""
    rng = np.random.default_rng(0)
    for folder in ('JPEGImages', 'Annotations', 'SegmentationClass', 'ImageSets/Segmentation'):
        (root / folder).mkdir(parents=True)
    for name, tag in zip(NAMES, ('cat', 'dog')):
        pixels = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((500, 375)).save(root / 'JPEGImages' / f'{name}.jpg')
        (root / 'Annotations' / f'{name}.xml').write_text(
            f'<annotation><object><name>{tag}</name></object></annotation>'
        )
    (root / 'ImageSets/Segmentation/train_aug.txt').write_text('\n'.join(NAMES))
    return root


@pytest.mark.slow
def test_two_steps_of_ppc_seam_on_voc(tmp_path: Path) -> None:
    data = voc_folder(tmp_path / 'voc')
    command = [
        sys.executable, str(ROOT / 'tools' / 'train.py'), str(ROOT / 'configs' / 'ppc_seam_voc.py'),
        '--work-dir', str(tmp_path / 'work'), '--no-validate', '--cfg-options',
        f'data_root={data}', 'model.backbone.init_cfg=None', 'train_dataloader.batch_size=1',
        'train_dataloader.num_workers=1', 'train_cfg.max_iters=2',
        'default_hooks.logger.interval=1', 'default_hooks.checkpoint.interval=100',
        'default_hooks.checkpoint.save_last=False',
    ]  # fmt: skip
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-4000:]
    (scalars,) = (tmp_path / 'work').glob('*/vis_data/scalars.json')
    steps = [json.loads(line) for line in scalars.read_text().splitlines()]
    assert [step['step'] for step in steps] == [1, 2]
    for step in steps:
        terms = {key: value for key, value in step.items() if key.startswith('loss_')}
        assert len(terms) == 7
        assert step['loss'] == pytest.approx(sum(terms.values()), rel=1e-4)
    # lr_k = 0.01 (1 - k / 10576) ** 0.9
    assert steps[1]['base_lr'] == pytest.approx(0.01 * (1 - 1 / 10576) ** 0.9, rel=1e-9)
