"""The code of the docs: fenced blocks, and the comment before each that says whether a test runs it.

<!-- run -->               it is run as it stands, in a scratch folder
<!-- run with: ... -->     bash: arguments to add by a script's file name or a subcommand of mmppc, as in
                           `train.py --cfg-options train_cfg.max_iters=2; run --dry-run`; Python: code to run before
<!-- not run: REASON -->   files, options and settings are checked nevertheless
"""

import contextlib
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]

_FENCE = re.compile(
    r'(?:^<!--\s*(?P<marker>(?:(?!-->).)*?)\s*-->\n\n?)?'
    r'^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)
_CAT = re.compile(r'\$\(cat ([^)\s]+)\)')
CONTENT = 'content-of:'


@dataclass(frozen=True)
class Block:
    """A fenced block: ``state`` is 'run', 'not run' or '', ``note`` what follows it in the comment."""

    page: str
    line: int
    language: str
    text: str
    state: str
    note: str

    def __str__(self):
        return f'{self.page}:{self.line}'


@dataclass(frozen=True)
class Command:
    """A command of a bash block: variables set before it, and its words."""

    variables: dict[str, str]
    words: tuple[str, ...]

    @property
    def script(self):
        """Path of the Python script, if it runs one."""
        return next((word for word in self.words if word.endswith('.py')), None)

    @property
    def name(self):
        """What a comment calls it: the script's file name or the subcommand of mmppc."""
        if self.words[0] == 'mmppc':
            return self.words[1]
        script = self.script if self.words[0] == 'python' else None
        return Path(script or self.words[0]).name


def read_blocks(page):
    """All fenced blocks of a page, in order."""
    text = page.read_text(encoding='utf-8')
    blocks = []
    for found in _FENCE.finditer(text):
        state, note = _read_marker(found['marker'] or '')
        line = text.count('\n', 0, found.start('language')) + 1
        name = page.relative_to(ROOT).as_posix()
        blocks.append(Block(name, line, found['language'], found['text'], state, note))
    return blocks


def _read_marker(text):
    match = re.fullmatch(r'(not run|run)(?: with)?(?::\s*(.*))?', text, re.DOTALL)
    return (match[1], (match[2] or '').strip()) if match else ('', '')


def read_commands(text):
    """The commands of a bash block. ``$(cat FILE)`` becomes one word that starts with CONTENT."""
    commands = []
    text = _CAT.sub(lambda found: CONTENT + found[1], text.replace('\\\n', ' '))
    for line in text.splitlines():
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), '&&']:
            if word != '&&':
                words.append(word)
            elif words:
                commands.append(_command(words))
                words = []
    return commands


def _command(words):
    variables = {}
    while words and (found := re.fullmatch(r'([A-Z][A-Z0-9_]*)=(.*)', words[0])):
        variables[found[1]] = found[2]
        words = words[1:]
    return Command(variables, tuple(words))


@contextlib.contextmanager
def working_in(folder):
    """``contextlib.chdir``, which Python 3.10 does not have."""
    former = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(former)


def added_arguments(note):
    """``NAME ARGUMENTS; NAME ARGUMENTS`` as a dict."""
    parts = [shlex.split(part) for part in note.split(';') if part.strip()]
    return {part[0]: part[1:] for part in parts}


def with_arguments(words, more):
    """The words with further ones; further settings join those of ``--cfg-options``."""
    option = '--cfg-options'
    if option in words and option in more:
        place, start = words.index(option) + 1, more.index(option)
        return [*words[:place], *more[start + 1 :], *words[place:], *more[:start]]
    return [*words, *more]
