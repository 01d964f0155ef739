"""Every command and every piece of Python in the docs is run here, or its names are checked; see blocks.py."""

import os
import re
import shutil
import sys
from pathlib import Path
from unittest import mock

import pytest

from mmppc.datasets import draw_toy_set, load_tags
from mmppc.datasets.toy_shapes import TOY_CLASSES
from tests.docs.blocks import (
    CONTENT,
    PAGES,
    ROOT,
    Block,
    added_arguments,
    read_blocks,
    read_commands,
    with_arguments,
    working_in,
)
from tests.docs.checks import (
    command_problems,
    load_script,
    missing_names,
    missing_paths,
    python_problems,
)

BLOCKS = {page.name: read_blocks(page) for page in PAGES}
CODE = ('bash', 'python')
COMMANDS = r'^(?:\$ )?(?:python|pip|mmppc|bash|torchrun|make) '
FIRST = 'get_started.md'  # its trained networks, seeds and masks serve the other pages
RUN = [name for name, blocks in BLOCKS.items() if any(block.state == 'run' for block in blocks)]


def problems_of(blocks, check):
    return [f'{block}: {problem}' for block in blocks for problem in check(block)]


@pytest.mark.parametrize('page', BLOCKS)
def test_every_block_says_whether_it_is_run(page):
    def check(block):
        if block.language in ('sh', 'shell', 'console', 'py', 'python3'):
            return [f'call the language bash or python, not {block.language}']
        if not block.language and re.search(COMMANDS, block.text, re.MULTILINE):
            return ['a block of commands without a language']
        if block.language not in CODE:
            return []
        if not block.state:
            return [
                'expected <!-- run -->, <!-- run with: ... --> or <!-- not run: REASON --> before it'
            ]
        if block.state == 'not run' and len(block.note) < 10:
            return [f'expected a reason, found {block.note!r}']
        return []

    assert not problems_of(BLOCKS[page], check)


@pytest.mark.parametrize('page', BLOCKS)
def test_what_the_blocks_name_exists(page):
    def check(block):
        if block.language == 'bash':
            commands = read_commands(block.text)
            return [problem for command in commands for problem in command_problems(command)]
        return python_problems(block) if block.language == 'python' else []

    assert not problems_of(BLOCKS[page], check)


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_what_the_text_names_exists(page):
    text = page.read_text(encoding='utf-8')
    spans = ' '.join(re.findall(r'`([^`\n]+)`', text))
    assert not missing_paths(spans)
    assert not missing_names(text)


def test_the_checks_find_what_is_wrong(tmp_path):
    page = ROOT / 'docs/index.md'
    assert read_blocks(page) == []
    wrong = {
        'python tools/nothing.py': 'no such file: tools/nothing.py',
        'python tools/train.py configs/nothing_voc.py': 'no such file: configs/nothing_voc.py',
        'python tools/train.py configs/cam_toy.py --nonsense': 'unrecognized arguments: --nonsense',
        'python tools/train.py configs/cam_toy.py --cfg-options model.backbone.dept=2':
            'cam_toy.py has no setting model.backbone.dept',
        'bash tools/dist_train.sh configs/cam_toy.py 2 --ampere': 'unrecognized arguments: --ampere',
        'mmppc walk data': 'no such subcommand: walk',
        'mmppc run ppc_nothing': 'ppc_nothing',
        'make coffee': 'no such target: coffee',
        'pip install ".[cream]"': 'no such extra: cream',
        'MMPPC_NOTHING=1 python tools/train.py configs/cam_toy.py': 'nothing reads the variable MMPPC_NOTHING',
        'frobnicate data': 'unknown command: frobnicate',
    }  # fmt: skip
    for text, expected in wrong.items():
        (command,) = read_commands(text)
        assert any(expected in problem for problem in command_problems(command)), text
    fine = 'python tools/test.py configs/cam_toy.py $(cat work_dirs/a/last_checkpoint) \\\n  --tta  # a remark'
    assert [command_problems(command) for command in read_commands(fine)] == [[]]
    pieces = {
        "a = dict(type='NoSuchThing')": "nothing is registered as 'NoSuchThing'",
        'from mmppc.storage.seeds import nothing': 'mmppc.storage.seeds has no nothing',
        'a b': 'not Python',
    }
    for text, expected in pieces.items():
        (problem,) = python_problems(Block('page', 1, 'python', text, 'run', ''))
        assert expected in problem
    assert missing_names('see `mmppc.functional.nothing` and `mmppc.functional.contrast`') == [
        'mmppc.functional.nothing'
    ]


@pytest.fixture(scope='module')
def scratch(tmp_path_factory):
    """A folder as a reader has it who starts in the repository: its own data, nothing trained."""
    folder = tmp_path_factory.mktemp('docs')
    for name in ('configs', 'tools'):
        (folder / name).symlink_to(ROOT / name)
    drawn = draw_toy_set(folder / 'drawn', num_train=8, num_val=2, size=64)
    tags = load_tags(drawn / 'tags.csv', TOY_CLASSES[1:])
    own = folder / 'my_pictures'
    rows = ['image,tags']
    for number, picture in enumerate(sorted((drawn / 'JPEGImages').iterdir())):
        names = [TOY_CLASSES[k + 1] for k in tags[picture.stem].nonzero()[0]]
        target = f'holiday 2021/Käse {number}.jpg'
        for place in (own / target, folder / 'animals' / names[0] / picture.name):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, place)
        rows.append(f'{target},{";".join(names)}')
        if number < 3:
            mask = folder / 'my_masks' / target.replace('.jpg', '.png')
            mask.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(drawn / f'SegmentationClass/{picture.stem}.png', mask)
    (own / 'tags.csv').write_text('\n'.join(rows) + '\n', encoding='utf-8')
    names = [row.split(',')[0] for row in rows[1:]]
    (own / 'train.txt').write_text('\n'.join(names[1:]), encoding='utf-8')
    (own / 'val.txt').write_text(names[0], encoding='utf-8')
    shutil.rmtree(drawn)
    return folder


@pytest.fixture(scope='module')
def started(scratch):
    """The folder after everything on the first page has been done."""
    with working_in(scratch):
        for block in BLOCKS[FIRST]:
            run_block(block)
    return scratch


def run_block(block):
    if block.state != 'run':
        return
    if block.language == 'python':
        exec(compile(f'{block.note}\n{block.text}', str(block), 'exec'), {})
        return
    more = added_arguments(block.note)
    commands = read_commands(block.text)
    unknown = set(more) - {command.name for command in commands}
    assert not unknown, f'{block}: adds arguments to {unknown}, which it does not call'
    for command in commands:
        words = with_arguments(list(command.words), more.get(command.name, []))
        words = [
            Path(word[len(CONTENT) :]).read_text().strip() if word.startswith(CONTENT) else word
            for word in words
        ]
        with mock.patch.dict(os.environ, command.variables):
            code = run_command(words)
        assert code in (0, None), f'{block}: exit code {code} of {" ".join(words)}'


def run_command(words):
    """Run it in this process: starting another one takes longer than what it does. The exit code."""
    if words[0] == 'mmppc':
        from mmppc_cli.main import main

        try:
            return main(words[1:])
        except SystemExit as end:
            return end.code
    assert words[0] == 'python', (
        f'{words[0]} cannot be run here; mark the block <!-- not run: ... -->'
    )
    module = load_script(words[1])
    with mock.patch.object(sys, 'argv', words[1:]):
        try:
            return module.main()
        except SystemExit as end:
            return end.code


@pytest.mark.slow
@pytest.mark.parametrize('page', RUN)
def test_blocks_run(page, started):
    if page == FIRST:
        masks = started / 'work_dirs/ppc_seam_toy/masks'
        assert len(list(masks.glob('*.png'))) == 8
        assert (started / 'work_dirs/deeplab-largefov_resnet38_toy/mask_metric_val.json').is_file()
        assert (started / 'work_dirs/ppc_seam_toy/report.html').stat().st_size > 10_000
        assert any((started / 'work_dirs/predicted').rglob('*.png'))
        return
    with working_in(started):
        for block in BLOCKS[page]:
            run_block(block)
