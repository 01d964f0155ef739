"""The demo from tags to the final mIoU, cut short."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_demo_from_tags_to_final_miou(tmp_path: Path) -> None:
    command = [
        sys.executable, str(ROOT / 'tools' / 'demo.py'), '--work-dir', str(tmp_path / 'demo'),
        '--num-train', '20', '--num-val', '6', '--iters', '4', '--rows', '3',
    ]  # fmt: skip
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    rows = [line.split('|') for line in run.stdout.splitlines() if line.startswith('|')][1:]
    figures = {(row[1].strip(), row[3].strip()): float(row[2]) for row in rows}
    assert set(figures) == {
        ('tag mAP', 'val'), ('seed mIoU', 'train'), ('seed mIoU', 'val'),
        ('mask mIoU', 'train'), ('final mIoU', 'val'),
    }  # fmt: skip
    # Even an untrained network labels some background right, and the tags are given. DeepLab weighs objects more, so
    # that it may have no background yet.
    final = figures.pop(('final mIoU', 'val'))
    assert 0 <= final < 100
    assert all(1 < value < 100 for value in figures.values())
    with Image.open(tmp_path / 'demo' / 'contact_sheet.png') as sheet:
        assert sheet.size == (960, 18 + 3 * 160)
        assert len(sheet.getcolors(1 << 24)) > 1000
    demo = tmp_path / 'demo'
    assert len(list((demo / 'ppc_seam' / 'seeds').glob('*.npz'))) == 26
    assert len(list((demo / 'ppc_seam' / 'masks').glob('*.png'))) == 20
    assert len(list((demo / 'deeplab' / 'val').glob('*.png'))) == 6
