"""The toy pipeline for real, cut short: from tags to the final mIoU and the report, also when it is killed on the way.

``MMPPC_KILLS=10`` kills it at ten moments instead of two.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
TRAININGS = ('pretraining', 'cam', 'segmentation')
NAMES = ['pretraining', 'cam', 'train_seeds', 'val_seeds', 'masks', 'segmentation', 'final']
TRAIN, VAL = 16, 6
KILLS = int(os.environ.get('MMPPC_KILLS', '2'))


def command_of(work: Path, *more: str) -> list[str]:
    options = [f'data.toy.num_train={TRAIN}', f'data.toy.num_val={VAL}']
    options += [f'{name}.default_hooks.checkpoint.interval=2' for name in TRAININGS]
    tool = [sys.executable, str(ROOT / 'tools' / 'run_pipeline.py'), 'ppc_seam_toy']
    return [*tool, '--work-dir', str(work), '--iters', '6', *more, '--cfg-options', *options]


def manifests(work: Path) -> dict[str, dict]:
    paths = {name: work / name / 'manifest.json' for name in NAMES}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.is_file()}


def figures(work: Path) -> dict:
    return {name: manifest['figures'] for name, manifest in manifests(work).items()}


def weights(work: Path, stage: str) -> dict[str, torch.Tensor]:
    path = work / stage / manifests(work)[stage]['outputs']['checkpoint']
    return torch.load(path, map_location='cpu', weights_only=False)['state_dict']


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, float]:
    """Work folder, output and seconds of a run from end to end."""
    work = tmp_path_factory.mktemp('undisturbed') / 'a run'
    start = time.monotonic()
    run = subprocess.run(command_of(work), cwd=work.parent, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    return work, run.stdout, time.monotonic() - start


@pytest.mark.slow
def test_from_tags_to_final_miou_and_report(undisturbed):
    work, output, _ = undisturbed
    found = {
        (name, item['name'], item['split']): item['value']
        for name, items in figures(work).items()
        for item in items
    }
    assert set(found) == {
        ('train_seeds', 'tag mAP', 'train'), ('train_seeds', 'seed mIoU', 'train'),
        ('val_seeds', 'tag mAP', 'val'), ('val_seeds', 'seed mIoU', 'val'),
        ('masks', 'mask mIoU', 'train'), ('final', 'final mIoU', 'val'),
    }  # fmt: skip
    # Even an untrained network labels some background right, and the tags are given. DeepLab weighs objects more, so
    # that it may have no background yet.
    assert 0 <= found.pop(('final', 'final mIoU', 'val')) < 100
    assert all(1 < value < 100 for value in found.values())
    for (_, name, _), value in found.items():
        assert f'{value:.1f}' in output, name
    assert len(list((work / 'train_seeds/seeds').glob('*.npz'))) == TRAIN
    assert len(list((work / 'val_seeds/seeds').glob('*.npz'))) == VAL
    assert len(list((work / 'masks/masks').glob('*.png'))) == TRAIN
    predictions = sorted((work / 'final/predictions').glob('*.png'))
    assert len(predictions) == VAL
    with Image.open(predictions[0]) as mask:
        assert mask.mode == 'P'
    # The threshold of val and of the masks is train's, and both say so.
    best = json.loads((work / 'train_seeds/seed_metric_train.json').read_text())['best_threshold']
    for name in ('val_seeds', 'masks'):
        threshold = manifests(work)[name]['threshold']
        assert threshold == {'value': best, 'source': 'best of train_seeds on train'}
    assert json.loads((work / 'masks/masks/masks.json').read_text())['threshold'] == best
    assert output.strip().splitlines()[-1] == f'report: {work / "report.html"}'
    page = (work / 'report.html').read_text(encoding='utf-8')
    assert page.count('data:image/') > VAL
    assert 'final mIoU' in page


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_with_the_same_figures(undisturbed, tmp_path):
    calm, _, seconds = undisturbed
    work = tmp_path / 'killed'
    moments = random.Random(20261)
    for kill in range(KILLS):
        process = subprocess.Popen(
            command_of(work, '--no-report'), cwd=tmp_path, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(timeout=moments.uniform(0.05, 0.6) * seconds)
            break  # all stages are finished: there is nothing more to kill
        except subprocess.TimeoutExpired:
            # The tool alone, as the system's memory guard would, or all at once, as a power cut would.
            if kill % 2:
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
    last = subprocess.run(
        command_of(work, '--no-report'),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert last.returncode == 0, last.stdout[-2000:] + last.stderr[-4000:]
    assert figures(work) == figures(calm)
    for stage in TRAININGS:
        one, other = weights(calm, stage), weights(work, stage)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert sum(manifest['attempts'] for manifest in manifests(work).values()) > len(NAMES)


@pytest.mark.slow
def test_a_second_run_in_the_same_folder_is_refused(undisturbed):
    work, _, _ = undisturbed
    from mmppc.pipeline.folder_lock import folder_lock

    with folder_lock(work / 'lock', 'test'):
        second = subprocess.run(command_of(work), cwd=work.parent, capture_output=True, text=True)
    assert second.returncode == 2
    assert f'error: {work}: another process (started by process {os.getpid()})' in second.stderr
    again = subprocess.run(
        command_of(work, '--dry-run'), cwd=work.parent, capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.count('finished') == len(NAMES)
