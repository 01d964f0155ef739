"""The site builds, its links lead somewhere, and it fetches nothing from the network."""

import ast
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from tests.docs.blocks import PAGES, ROOT

LINK = re.compile(r'(?<!!)\[[^\]]*\]\(([^)\s]+)\)')
ZOO = sorted((ROOT / 'zoo').glob('**/README.md'))


def headings(page):
    text = re.sub(r'^```.*?^```', '', page.read_text(encoding='utf-8'), flags=re.M | re.S)
    return re.findall(r'^#{1,6} +(.+?) *$', text, re.MULTILINE)


def slugs(page):
    """Anchors that both the site and a viewer of the repository have."""
    found = set()
    for heading in headings(page):
        plain = re.sub(r'[^\w\s-]', '', heading).strip().lower()
        site, viewer = re.sub(r'[-\s]+', '-', plain), re.sub(r'\s', '-', plain)
        found |= {site} & {viewer}
    return found


@pytest.mark.parametrize('page', [*PAGES, *ZOO], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding='utf-8')
    wrong = []
    for link in LINK.findall(re.sub(r'^```.*?^```', '', text, flags=re.M | re.S)):
        if re.match(r'[a-z]+:', link):
            continue
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            wrong.append(f'{link}: no such file')
        elif anchor and anchor not in slugs(target):
            wrong.append(f'{link}: no such heading, {target.name} has {sorted(slugs(target))}')
    assert not wrong


class _Resources(HTMLParser):
    """What a browser fetches for a page by itself, and the headings it can be sent to."""

    def __init__(self):
        super().__init__()
        self.fetched, self.links, self.ids = [], [], set()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if values.get('id'):
            self.ids.add(values['id'])
        if tag == 'a' and values.get('href'):
            self.links.append(values['href'])
        elif tag == 'link' and values.get('rel') != 'canonical':
            self.fetched.append(values.get('href') or '')
        elif values.get('src'):
            self.fetched.append(values['src'])


def test_the_site_builds_and_needs_no_network(tmp_path):
    pytest.importorskip('material', reason='needs mkdocs-material, of the extra docs')
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', str(tmp_path)]
    # An unreachable proxy: whoever asks for a page of the network fails.
    proxies = dict.fromkeys(('http_proxy', 'https_proxy', 'all_proxy'), 'http://127.0.0.1:9')
    environment = {**os.environ, **proxies, 'NO_MKDOCS_2_WARNING': '1'}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = {}
    for path in tmp_path.rglob('*.html'):
        pages[path] = _Resources()
        pages[path].feed(path.read_text(encoding='utf-8'))
    assert {path.stem for path in pages} >= {page.stem for page in PAGES if page.parent != ROOT}
    for path, page in pages.items():
        foreign = [item for item in page.fetched if re.match(r'(https?:)?//', item)]
        assert not foreign, path.name
        for link in page.links:
            if re.match(r'[a-z]+:|//', link) or path.stem == '404':
                continue
            name, _, anchor = link.partition('#')
            target = (path.parent / name).resolve() if name not in ('', '.') else path
            target = target / 'index.html' if target.is_dir() else target
            assert target in pages or target.exists(), f'{path.name}: {link}'
            if anchor and target in pages:
                assert anchor in pages[target].ids, f'{path.name}: {link}'


def test_nox_has_the_original_stack_of_setup():
    """The releases that noxfile.py installs are those that the extra asks for."""
    from packaging.requirements import Requirement

    constants = {}
    for node in ast.parse((ROOT / 'noxfile.py').read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = ast.literal_eval(node.value)
    pinned = [Requirement(text) for text in (*constants['OPENMMLAB'], constants['MMCV'])]
    exact = {
        item.name: next(iter(item.specifier)).version
        for item in pinned
        if '==' in str(item.specifier)
    }
    extras = {}
    for node in ast.parse((ROOT / 'setup.py').read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == 'extras':
            extras = ast.literal_eval(node.value)
    asked = {Requirement(text).name: Requirement(text) for text in extras['openmmlab']}
    assert set(exact) == {'torch', 'torchvision', 'numpy', 'mmengine', 'mmsegmentation', 'mmcv'}
    assert all(asked[name].specifier.contains(version) for name, version in exact.items())
