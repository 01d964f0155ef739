"""The pages of the zoo are what the metafiles say, and the metafiles say where each figure comes from."""

from functools import partial
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(run_here):
    return partial(run_here, 'analysis_tools/zoo_tables.py')


def test_the_pages_are_up_to_date(run):
    done = run('--check')
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_weights_are_claimed():
    for path in (ROOT / 'zoo').glob('*/metafile.yml'):
        models = yaml.safe_load(path.read_text(encoding='utf-8'))['Models']
        assert models
        assert not any('Weights' in model for model in models)


@pytest.fixture
def zoo(tmp_path):
    """A zoo of one method and two configs, with a figure of each source."""
    for folder in ('configs', 'docs', 'zoo/one'):
        (tmp_path / folder).mkdir(parents=True)
    for name in ('a_voc', 'b_voc'):
        (tmp_path / f'configs/{name}.py').touch()
    (tmp_path / 'docs/results.md').write_text('measured 12.5')
    (tmp_path / 'model-index.yml').write_text('Import: [zoo/one/metafile.yml]')
    for page in ('zoo/README.md', 'zoo/one/README.md'):
        (tmp_path / page).write_text('# Title\n<!-- zoo tables -->\n<!-- end -->\nrest\n')
    figure = dict(Task='Seeds', Dataset='VOC train')
    results = [
        dict(**figure, Metrics=dict(mIoU=61.5), Source='paper', Table='Table 1'),
        dict(
            **figure,
            Metrics=dict(mIoU=12.5),
            Source='measured',
            Conditions='no CRF',
            Report='docs/results.md',
        ),
    ]
    models = [
        {
            'Name': name,
            'In Collection': 'One',
            'Config': f'configs/{name}.py',
            'Metadata': {'Network': 'net', 'Data': 'VOC'},
        }
        for name in ('a_voc', 'b_voc')
    ]
    models[0]['Results'] = results
    collection = {
        'Name': 'One',
        'Metadata': {'Stage': 'seeds'},
        'Paper': {'Title': 'T', 'URL': 'https://example.org'},
        'README': 'zoo/one/README.md',
    }
    write(tmp_path, dict(Collections=[collection], Models=models))
    return tmp_path


def write(root, content):
    (root / 'zoo/one/metafile.yml').write_text(yaml.safe_dump(content))


def read(root):
    return yaml.safe_load((root / 'zoo/one/metafile.yml').read_text())


def test_pages_are_written_and_then_found_up_to_date(run, zoo):
    done = run('--check', '--root', zoo)
    assert done.returncode == 1
    assert 'out of date: zoo/one/README.md, zoo/README.md' in done.stdout
    assert run('--root', zoo).returncode == 0
    page = (zoo / 'zoo/one/README.md').read_text()
    assert page.startswith('# Title\n<!-- zoo tables -->\n| config |')
    assert page.endswith('<!-- end -->\nrest\n')
    assert '| [`b_voc.py`](../../configs/b_voc.py) | net | VOC | none published |' in page
    assert "### The paper's\n\n" in page
    assert '| a_voc | Seeds | VOC train | 61.5 | Table 1 |' in page
    measured = (
        '| a_voc | Seeds | VOC train | 12.5 | no CRF; [`results.md`](../../docs/results.md) |'
    )
    assert measured in page
    assert "| 2 | 1 of the paper's, 1 measured here |" in (zoo / 'zoo/README.md').read_text()
    assert run('--check', '--root', zoo).returncode == 0


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(Source='ours'), "Source 'ours', expected one of ['measured', 'paper']"),
        (dict(Source='paper'), 'has no Table'),
        (dict(Conditions=''), 'has no Conditions'),
        (dict(Metrics=dict(mIoU=99.9)), 'mIoU 99.9 does not stand in docs/results.md'),
    ],
)
def test_figures_without_origin_are_refused(run, zoo, change, message):
    content = read(zoo)
    content['Models'][0]['Results'][1].update(change)
    write(zoo, content)
    done = run('--check', '--root', zoo)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_config_without_entry_is_refused(run, zoo):
    (zoo / 'configs/c_voc.py').touch()
    done = run('--root', zoo)
    assert done.returncode == 2
    assert "missing: ['configs/c_voc.py']" in done.stderr


def test_an_entry_without_config_is_refused(run, zoo):
    (zoo / 'configs/b_voc.py').unlink()
    done = run('--root', zoo)
    assert done.returncode == 2
    assert 'b_voc: no such config: configs/b_voc.py' in done.stderr


def test_a_page_without_marks_is_refused(run, zoo):
    (zoo / 'zoo/one/README.md').write_text('# Title\n')
    done = run('--root', zoo)
    assert done.returncode == 2
    assert 'expected the lines' in done.stderr
