"""Write the tables of zoo/*/README.md and zoo/README.md from the metafiles, or check that they are as written.

A page's tables stand between the lines `<!-- zoo tables -->` and `<!-- end -->`; all else is written by hand. A result
is of the paper (`Source: paper`, with its table) or was measured here (`Source: measured`, with its conditions and the
report that has the figure). With --check nothing is written; the exit code is 1 if a page is out of date.
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmppc.storage.atomic import atomic_write
from mmppc.utils.user_errors import user_errors

BEGIN, END = '<!-- zoo tables -->', '<!-- end -->'
NO_WEIGHTS = 'none published'


@dataclass(frozen=True)
class Page:
    """A method: its collection, its models in the metafile's order, and the file they come from."""

    path: Path
    collection: dict[str, Any]
    models: list[dict[str, Any]]

    @property
    def readme(self) -> Path:
        return self.path.parent / 'README.md'


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--check', action='store_true', help='write nothing, compare only')
    parser.add_argument(
        '--root', type=Path, default=Path(__file__).resolve().parents[2], help='the repository'
    )
    args = parser.parse_args()
    with user_errors():
        pages = read_pages(args.root)
        wanted = {page.readme: page_tables(page) for page in pages}
        wanted[args.root / 'zoo/README.md'] = overview(pages, args.root)
        stale = []
        for path, tables in wanted.items():
            text = path.read_text(encoding='utf-8')
            new = with_tables(path, text, tables)
            if new != text:
                stale.append(path)
                if not args.check:
                    with atomic_write(path, 'w') as file:
                        file.write(new)
    names = ', '.join(str(path.relative_to(args.root)) for path in stale)
    if args.check and stale:
        print(f'out of date: {names}; run python tools/analysis_tools/zoo_tables.py')
        raise SystemExit(1)
    print(f'written: {names}' if stale else f'{len(wanted)} pages are up to date')


def read_pages(root: Path) -> list[Page]:
    """The metafiles that ``model-index.yml`` names.

    Raises:
        FileNotFoundError: If a file that is named is missing.
        ValueError: If an entry lacks a field or contradicts another file, or a config has no entry or two.
    """
    index = load_yaml(root / 'model-index.yml')
    pages = [read_page(root, root / name) for name in index['Import']]
    listed = [model['Config'] for page in pages for model in page.models]
    doubles = sorted({name for name in listed if listed.count(name) > 1})
    found = {path.relative_to(root).as_posix() for path in (root / 'configs').glob('*.py')}
    missing = sorted(found - set(listed))
    if doubles or missing:
        raise ValueError(
            f'{root / "zoo"}: every config of configs/ stands in one metafile; missing: {missing}, '
            f'more than once: {doubles}'
        )
    return pages


def read_page(root: Path, path: Path) -> Page:
    """One metafile, checked; errors as in :func:`read_pages`."""
    content = load_yaml(path)
    (collection,) = content['Collections']
    if not (root / collection['README']).samefile(path.parent / 'README.md'):
        raise ValueError(f'{path}: README {collection["README"]!r} is not the page beside it')
    for model in content['Models']:
        where = f'{path}: {model.get("Name")}'
        if not (root / model['Config']).is_file():
            raise FileNotFoundError(f'{where}: no such config: {model["Config"]}')
        if model['Name'] != Path(model['Config']).stem:
            raise ValueError(f'{where}: Name, expected that of its config {model["Config"]}')
        if model['In Collection'] != collection['Name']:
            raise ValueError(f'{where}: In Collection, expected {collection["Name"]!r}')
        for result in model.get('Results', []):
            check_result(root, where, result)
    return Page(path, collection, content['Models'])


def load_yaml(path: Path) -> dict[str, Any]:
    try:
        return yaml.safe_load(path.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ValueError(f'{path}: not YAML: {error}') from error


def check_result(root: Path, where: str, result: dict[str, Any]) -> None:
    """Refuse a figure that does not say where it comes from, or that its report does not have."""
    needed = {'paper': ('Table',), 'measured': ('Conditions', 'Report')}
    source = result.get('Source')
    if source not in needed:
        raise ValueError(f'{where}: Source {source!r}, expected one of {sorted(needed)}')
    for field in ('Task', 'Dataset', 'Metrics', *needed[source]):
        if not result.get(field):
            raise ValueError(f'{where}: a result of {result.get("Task")!r} has no {field}')
    if source == 'measured':
        report = (root / result['Report']).read_text(encoding='utf-8')
        for name, value in result['Metrics'].items():
            if str(value) not in report:
                raise ValueError(f'{where}: {name} {value} does not stand in {result["Report"]}')


def page_tables(page: Page) -> str:
    """The tables of a method: its configs, and its results."""
    configs = [
        (link(page, model['Config']), model['Metadata']['Network'], model['Metadata']['Data'],
         model.get('Weights') or NO_WEIGHTS)
        for model in page.models
    ]  # fmt: skip
    text = table(('config', 'network', 'data', 'weights'), configs)
    for source, title in (('paper', "The paper's"), ('measured', 'Measured here')):
        rows = [
            (
                model['Name'],
                result['Task'],
                result['Dataset'],
                metrics(result),
                origin(page, result),
            )
            for model in page.models
            for result in model.get('Results', [])
            if result['Source'] == source
        ]
        if rows:
            head = ('config', 'what', 'data', 'mIoU (%)', 'where and how')
            text += f'\n### {title}\n\n{table(head, rows)}'
    return text


def overview(pages: Iterable[Page], root: Path) -> str:
    """The table of all methods."""
    rows = []
    for page in pages:
        paper = page.collection['Paper']
        folder = page.path.parent.name
        results = [r for model in page.models for r in model.get('Results', [])]
        measured = sum(result['Source'] == 'measured' for result in results)
        rows.append(
            (
                f'[{page.collection["Name"]}]({folder}/README.md)',
                page.collection['Metadata']['Stage'],
                f'[{paper["Title"]}]({paper["URL"]})',
                str(len(page.models)),
                f"{len(results) - measured} of the paper's, {measured} measured here",
            )
        )
    return table(('method', 'stage', 'paper', 'configs', 'figures'), rows)


def metrics(result: dict[str, Any]) -> str:
    values = result['Metrics']
    if list(values) == ['mIoU']:
        return str(values['mIoU'])
    return ', '.join(f'{name} {value}' for name, value in values.items())


def origin(page: Page, result: dict[str, Any]) -> str:
    if result['Source'] == 'paper':
        return ', '.join(filter(None, (result['Table'], result.get('Conditions'))))
    return f'{result["Conditions"]}; {link(page, result["Report"])}'


def link(page: Page, path: str) -> str:
    """A link from the page to a file of the repository."""
    up = '../' * len(Path(page.collection['README']).parent.parts)
    return f'[`{Path(path).name}`]({up}{path})'


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ['---'] * len(head), *rows]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def with_tables(path: Path, text: str, tables: str) -> str:
    """The page's text with these tables between the marks; ValueError unless there is one pair of them."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f'{path}: expected the lines {BEGIN!r} and {END!r} once, in this order')
    before, rest = text.split(BEGIN)
    return f'{before}{BEGIN}\n{tables}{END}{rest.split(END)[1]}'


if __name__ == '__main__':
    main()
