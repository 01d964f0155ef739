"""One work folder for all tests of the report; those that change it take a copy."""

import json
import shutil

import pytest

from mmppc.report import write_report
from tests.report.work_folder import make_pipeline

EVIL = '<script>alert("x")</script>'


@pytest.fixture(scope='session')
def finished(tmp_path_factory):
    """Work folder of a finished pipeline; not to be changed."""
    return make_pipeline(tmp_path_factory.mktemp('report'))


@pytest.fixture
def run_copy(finished, tmp_path):
    """A copy to change."""
    return shutil.copytree(finished, tmp_path / 'run')


@pytest.fixture(scope='session')
def page(finished, tmp_path_factory):
    """The page about it."""
    return write_report(finished, tmp_path_factory.mktemp('page') / 'report.html', workers=0)


@pytest.fixture(scope='session')
def evil(tmp_path_factory):
    """The page about a run whose every name is an attack."""
    root = tmp_path_factory.mktemp('evil')
    attacks = (
        EVIL,
        '"><img src=x onerror=alert(1)>',
        "'; alert(1); '",
        '</style>',
        '{{ 7 * 7 }}',
        '&amp;',
    )
    classes = ('background', *attacks)
    run = make_pipeline(root, classes)
    record = json.loads((run / 'pipeline.json').read_text())
    record.update(name=EVIL, config=f'/a/{EVIL}.py')
    # Files of such names too.
    split = root / 'data/ImageSets/Segmentation/val.txt'
    old = split.read_text().split()[0]
    new = 'a"><b onclick=x'
    for path in (root / 'data').rglob(f'{old}.*'):
        path.rename(path.with_name(new + path.suffix))
    for path in run.rglob(f'{old}.*'):
        path.rename(path.with_name(new + path.suffix))
    split.write_text(split.read_text().replace(old, new))
    (run / 'pipeline.json').write_text(json.dumps(record))
    manifest = json.loads((run / 'final/manifest.json').read_text())
    manifest.update(title=EVIL, state='running', command=[EVIL])
    manifest['versions'][EVIL] = EVIL
    (run / 'final/manifest.json').write_text(json.dumps(manifest))
    (run / 'final/stage.log').write_text(EVIL)
    (run / 'masks/manifest.json').write_text(EVIL)
    return write_report(run, root / 'report.html', workers=0)
