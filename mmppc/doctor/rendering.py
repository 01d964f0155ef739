"""Findings as a table for people and as JSON for programs.

Nothing but the standard library at import, as :mod:`mmppc.doctor.finding`; ``rich`` draws the table where there is one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from mmppc.doctor.finding import Finding, Section

SHOWN = 3
_COLOURS = {'ok': 'green', 'warning': 'yellow', 'error': 'bold red', 'skipped': 'dim'}
_INDENT = 2


def render(section: Section, stream: TextIO | None = None, *, every: bool = False) -> None:
    """Write a section's table.

    A terminal gets a table drawn by ``rich``; a file or a pipe, and a terminal without ``rich``, one line of plain text
    a finding and indented lines below it.

    Args:
        section: What was found, from :mod:`mmppc.doctor.finding`.
        stream: Where to write; standard output by default.
        every: List all examples instead of the first few.
    """
    stream = sys.stdout if stream is None else stream
    if hasattr(stream, 'reconfigure'):
        # A terminal may lack the letters of file names.
        stream.reconfigure(errors='backslashreplace')
    if not (stream.isatty() and _draw(section, stream, every)):
        stream.write(plain_table(section, every=every) + '\n')
    stream.flush()


def plain_table(section: Section, *, every: bool = False) -> str:
    """A section as text: a line a finding, what to do and examples indented below it."""
    lines = [section.as_json()['title']]
    names = max((len(finding.check) for finding in section.findings), default=0)
    indent = ' ' * (_INDENT + 9 + names + 2)
    for finding in section.findings:
        head = f'{"":{_INDENT}}{finding.status:9}{finding.check:{names}}  '
        texts = _texts(finding, every)
        lines.append(f'{head}{texts[0][1]}'.rstrip())
        lines += [f'{indent}{text}' for _, text in texts[1:]]
    return '\n'.join(lines) + '\n'


def summary(totals: Mapping[str, int]) -> str:
    """The last line: how many errors and warnings.

    >>> summary({'error': 1, 'warning': 2, 'ok': 20, 'skipped': 0})
    '1 error, 2 warnings, 20 ok'
    """
    errors, warnings = totals['error'], totals['warning']
    parts = [
        f'{errors} error{"s" * (errors != 1)}' if errors else '',
        f'{warnings} warning{"s" * (warnings != 1)}' if warnings else '',
        f'{totals["ok"]} ok',
        f'{totals["skipped"]} skipped' if totals['skipped'] else '',
    ]
    return ', '.join(part for part in parts if part)


def as_json(sections: Sequence[Section], totals: Mapping[str, int], code: int) -> dict[str, Any]:
    """The same for programs: every finding with all of its examples."""
    return {
        'exit_code': code,
        'counts': dict(totals),
        'sections': [section.as_json() for section in sections],
    }


def _draw(section: Section, stream: TextIO, every: bool) -> bool:
    """Draw a table with rich; False where that is missing or broken."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except Exception:  # a broken installation may raise anything
        return False
    console = Console(file=stream, highlight=False)
    styles = {'found': '', 'remedy': 'cyan', 'example': 'dim'}
    table = Table(title=Text(section.as_json()['title']), title_justify='left', title_style='bold')
    table.add_column('', no_wrap=True)
    table.add_column('check', max_width=max(16, console.width // 4))
    table.add_column('found, and what to do', overflow='fold')
    for finding in section.findings:
        cell = Text()
        for number, (kind, text) in enumerate(_texts(finding, every)):
            cell.append(('\n' if number else '') + text, style=styles[kind])
        table.add_row(Text(finding.status, _COLOURS[finding.status]), Text(finding.check), cell)
    console.print(table)
    return True


def _texts(finding: Finding, every: bool) -> list[tuple[str, str]]:
    """The lines of a finding: what was found, examples, and what to do."""
    clean = finding.as_json()
    names = clean['examples']
    lines = [('found', clean['found'])]
    if every:
        lines += [('example', f'- {name}') for name in names]
    elif names:
        more = f' and {len(names) - SHOWN} more (--all)' if len(names) > SHOWN else ''
        lines.append(('example', f'e.g. {"; ".join(names[:SHOWN])}{more}'))
    if clean['remedy']:
        lines.append(('remedy', f'-> {clean["remedy"]}'))
    return lines
