"""Findings as a table and as JSON."""

import io
import json
import re

import pytest

from mmppc.doctor.finding import Finding, Section, count, exit_code, printable
from mmppc.doctor.rendering import as_json, plain_table, render, summary

SECTION = Section(
    'Data set [x]',
    (
        Finding('pictures', 'ok', '5 in a'),
        Finding(
            'tags: spelling', 'error', '4 tags are no class', 'correct them', ('a', 'b', 'c', 'd')
        ),
        Finding('masks', 'warning', 'odd', examples=('[bold]e[/bold]',)),
        Finding('gpu', 'skipped', 'none'),
    ),
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_plain_lines():
    assert plain_table(SECTION).splitlines() == [
        'Data set [x]',
        '  ok       pictures        5 in a',
        '  error    tags: spelling  4 tags are no class',
        '                           e.g. a; b; c and 1 more (--all)',
        '                           -> correct them',
        '  warning  masks           odd',
        '                           e.g. [bold]e[/bold]',
        '  skipped  gpu             none',
    ]


def test_all_examples():
    lines = plain_table(SECTION, every=True).splitlines()
    assert [line.strip() for line in lines[3:8]] == ['- a', '- b', '- c', '- d', '-> correct them']


@pytest.mark.parametrize('width', ['40', '120'])
def test_a_terminal_gets_a_table_that_fits(monkeypatch, width):
    monkeypatch.setenv('COLUMNS', width)
    stream = Terminal()
    render(SECTION, stream)
    text = re.sub(r'\x1b\[[\d;]*m', '', stream.getvalue())  # colours
    assert '┃' in text
    assert max(map(len, text.splitlines())) <= int(width)
    # Broken over lines where there is no room, but whole.
    letters = re.sub(r'[\s│]', '', text)
    for word in ('Dataset[x]', 'skipped', '[bold]e[/bold]'):
        assert word in letters


def test_a_pipe_and_a_terminal_without_rich_get_lines(monkeypatch):
    pipe = io.StringIO()
    render(SECTION, pipe)
    monkeypatch.setitem(__import__('sys').modules, 'rich.table', None)
    terminal = Terminal()
    render(SECTION, terminal)
    assert pipe.getvalue() == terminal.getvalue() == plain_table(SECTION) + '\n'


def test_a_terminal_without_the_letters_of_a_name():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding='ascii')
    render(Section('s', (Finding('c', 'ok', 'Käse'),)), stream)
    assert b'K\\xe4se' in raw.getvalue()


def test_counts_and_exit_codes():
    totals = count([SECTION, SECTION])
    assert totals == {'error': 2, 'warning': 2, 'ok': 2, 'skipped': 2}
    assert summary(totals) == '2 errors, 2 warnings, 2 ok, 2 skipped'
    fine = Section('f', (Finding('a', 'ok', ''), Finding('b', 'skipped', '')))
    odd = Section('o', (Finding('a', 'warning', ''),))
    codes = [
        exit_code(sections, strict=strict)
        for sections in ([fine], [fine, odd])
        for strict in (False, True)
    ]
    assert codes == [0, 0, 0, 1]
    assert exit_code([SECTION]) == exit_code([SECTION], strict=True) == 1


def test_json_holds_everything_and_can_be_written():
    stray = Section('f\udcfcr', (Finding('a', 'warning', 'x', 'y', ('K\udce4se', 'ä')),))
    text = json.dumps(as_json([SECTION, stray], count([SECTION]), 1), ensure_ascii=False)
    text.encode('utf-8')
    content = json.loads(text)
    assert content['exit_code'] == 1
    assert content['counts']['error'] == 1
    assert content['sections'][0]['findings'][1] == {
        'check': 'tags: spelling',
        'status': 'error',
        'found': '4 tags are no class',
        'remedy': 'correct them',
        'examples': ['a', 'b', 'c', 'd'],
    }
    assert content['sections'][1]['title'] == 'f\\xfcr'
    assert content['sections'][1]['findings'][0]['examples'] == ['K\\xe4se', 'ä']


def test_a_status_that_is_none():
    with pytest.raises(ValueError, match="a: status='fine', expected one of"):
        Finding('a', 'fine', '')


def test_printable():
    assert printable('ä b') == 'ä b'
    assert printable('K\udce4se \ud800') == 'K\\xe4se \\ud800'
