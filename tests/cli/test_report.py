"""``mmppc report``: the page, its place, what it says of wrong input."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmppc_cli.main import main
from tests.report.work_folder import write_log

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    """A training of the tools that has just begun."""
    write_log(tmp_path / 'work', '20260101_120000', range(10, 41, 10), first=1.0)
    return tmp_path / 'work'


def test_help_comes_at_once_and_names_an_example():
    script = (
        'import sys, mmppc_cli.main as m\n'
        'try: m.main(["report", "--help"])\n'
        'finally: print("torch" in sys.modules)'
    )
    found = subprocess.run(
        [sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 'mmppc report work_dirs/ppc_seam_voc' in found.stdout
    assert '--max-pictures N' in found.stdout
    assert found.stdout.endswith('False\n')


def test_writes_the_page_and_says_where(folder, tmp_path, capsys):
    assert main(['report', str(folder), '--workers', '0', '--title', 'my run']) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f'{folder / "report.html"} (')
    assert '<title>my run</title>' in (folder / 'report.html').read_text(encoding='utf-8')
    assert main(['report', str(folder), '--out', str(tmp_path / 'a/b.html'), '--workers', '0']) == 0
    assert '<title>work</title>' in (tmp_path / 'a/b.html').read_text(encoding='utf-8')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['nowhere'], 'error: nowhere: no such work folder'),
        (['.'], 'error: .: found no pipeline.json'),
        (['work', '--max-pictures', '-1'], 'error: max_pictures=-1: expected 0 or more'),
        (['work', '--workers', '-2'], 'error: --workers -2: expected 0 or more'),
    ],
)
def test_wrong_input(folder, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folder.parent)
    with pytest.raises(SystemExit) as caught:
        main(['report', *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(message)
    assert not (folder / 'report.html').exists()
