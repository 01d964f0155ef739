"""The page as a whole: one file, harmless whatever the names are, with everything a run has."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest

from mmppc.report import write_report
from mmppc.report.confusion_chart import LEVELS, SWITCHES
from tests.report.conftest import EVIL

VOID_TAGS = {'meta', 'link', 'input', 'br', 'img'}


class Page(HTMLParser):
    """Tags with their attributes, the texts, and whether every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts, self.ids = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.ids += [value for name, value in attributes if name == 'id']
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if self.open[-1:] not in (['script'], ['style']):
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r'\s+', ' ', ' '.join(self.texts))

    def having(self, name, value):
        return [
            attributes
            for _, attributes in self.tags
            if value in (attributes.get(name) or '').split()
        ]


def read(path):
    text = path.read_text(encoding='utf-8')
    return text, Page(text)


def test_all_that_a_run_has(page):
    _, content = read(page)
    sections = [item['id'] for tag, item in content.tags if tag == 'section']
    assert sections == [
        'figures',
        'stages',
        'training',
        'threshold',
        'classes',
        'confusion',
        'pictures',
    ]
    links = [
        item['href'][1:] for tag, item in content.tags if tag == 'a' and item['href'] != '#main'
    ]
    assert links == sections
    assert len(content.ids) == len(set(content.ids))
    for expected in (
        'toy run', 'configs/pipelines/toy.py', 'train: 9 pictures, all with a true mask', 'torch 2.9.0',
        'best of train_seeds on train', '1 min 15 s 2 starts', 'resumed before iteration 50', 'loss_er',
        'Seed mIoU', 'Final mIoU', 'lowest first (by segmentation, val)', 'All 16 pictures are in this page.',
        "python tools/train.py 'config with space.py'",
    ):  # fmt: skip
        assert expected in content.text, expected
    assert len(content.having('class', 'tile')) == 6
    assert len(content.having('class', 'panel')) == 4 + 2
    assert len(content.having('class', 'confusion')) == 4
    assert len(content.having('class', 'card')) == 16
    assert len(content.having('class', 'class-row')) == 7
    # Every chart has its values as a table.
    captions = [item.get('aria-label') for item in content.having('class', 'scroll')]
    assert 'Values of CAM network' in captions
    assert 'mIoU of the seeds at some thresholds' in captions
    assert 'IoU of the classes' in captions
    assert 'Confusion matrix of seeds, val in percent' in captions


def test_it_needs_nothing_else(page):
    text, content = read(page)
    addresses = [
        item[name]
        for _, item in content.tags
        for name in ('src', 'href', 'action', 'srcset', 'data')
        if item.get(name)
    ]
    assert all(address.startswith(('#', 'data:')) for address in addresses)
    assert re.findall(r'url\((?!data:)[^)]*\)', text) == []
    assert '@import' not in text
    scripts = re.findall(r'<script>(.*?)</script>', text, flags=re.DOTALL)
    assert len(scripts) == 1
    policy = next(item['content'] for tag, item in content.tags if item.get('http-equiv'))
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert len(text) < 1_500_000


def test_names_are_harmless(evil, page):
    text, content = read(evil)
    _, plain = read(page)
    assert EVIL not in text
    assert content.text.count('alert("x")') > 10  # shown as it is
    assert '{{ 7 * 7 }}' in content.text
    assert 'a"><b onclick=x' in content.text
    # Nothing is there that the page itself does not make: tags, and attributes that run code.
    assert {tag for tag, _ in content.tags} <= {tag for tag, _ in plain.tags} | {'pre'}
    assert not [name for _, item in content.tags for name in item if name.startswith('on')]
    assert text.count('<script') == plain_count(page)


def plain_count(page):
    return page.read_text(encoding='utf-8').count('<script')


def test_title_and_number_of_pictures(finished, tmp_path):
    path = write_report(finished, tmp_path / 'a/b.html', max_pictures=5, title='A & B', workers=0)
    text, content = read(path)
    assert '<title>A &amp; B</title>' in text
    assert len(content.having('class', 'card')) == 5
    assert '5 of 16 pictures are in this page' in content.text
    _, content = read(write_report(finished, tmp_path / 'none.html', max_pictures=0, workers=0))
    assert content.having('class', 'card') == []
    assert 'pictures' not in [item['id'] for tag, item in content.tags if tag == 'section']
    assert len(content.having('class', 'confusion')) == 4  # the pictures are measured all the same


def test_the_default_place(run_copy):
    assert write_report(run_copy, max_pictures=0, workers=0) == run_copy / 'report.html'
    assert (run_copy / 'report.html').is_file()


def test_a_run_that_has_just_begun(run_copy):
    for stage in ('train_seeds', 'val_seeds', 'masks', 'segmentation', 'final'):
        shutil.rmtree(run_copy / stage)
    manifest = json.loads((run_copy / 'cam/manifest.json').read_text())
    (run_copy / 'cam/manifest.json').write_text(
        json.dumps({**manifest, 'state': 'running', 'seconds': None})
    )
    (run_copy / 'cam/stage.log').write_text('RuntimeError: the last line')
    (run_copy / 'lock').touch()
    _, content = read(write_report(run_copy, workers=0))
    sections = [item['id'] for tag, item in content.tags if tag == 'section']
    assert sections == ['figures', 'stages', 'training']
    assert 'No stage has measured anything yet.' in content.text
    assert content.text.count('not started') == 5
    assert 'stopped, last line' in content.text
    assert 'RuntimeError: the last line' in content.text


def test_a_run_of_which_nothing_is_left_but_its_record(run_copy):
    for path in run_copy.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    record = json.loads((run_copy / 'pipeline.json').read_text())
    (run_copy / 'pipeline.json').write_text(json.dumps({'name': record['name'], 'stages': ['cam']}))
    _, content = read(write_report(run_copy, workers=0))
    assert 'toy run' in content.text


def test_pictures_without_truth_are_shown_by_name(run_copy):
    record = json.loads((run_copy / 'pipeline.json').read_text())
    record['data']['masks'] = None
    (run_copy / 'pipeline.json').write_text(json.dumps(record))
    for path in run_copy.rglob('*metric*'):
        path.unlink()
    text, content = read(write_report(run_copy, workers=0))
    assert len(content.having('class', 'card')) == 16
    assert 'train: 9 pictures, without true masks' in content.text
    control = json.loads(re.search(r'id="gallery-data">(.*?)</script>', text)[1])
    assert control['groups'] == []
    assert {tuple(card['iou']) for card in control['cards']} == {()}
    assert any(card['classes'] for card in control['cards'])
    titles = [item['aria-label'] for item in content.having('class', 'cell')]
    assert any(', heat: ' in title for title in titles)
    assert not any(', truth' in title for title in titles)


def test_the_filters_know_the_best_and_the_worst(page, finished):
    text, content = read(page)
    control = json.loads(re.search(r'id="gallery-data">(.*?)</script>', text)[1])
    group = next(
        item
        for item in control['groups']
        if (item['split'], item['column'], item['label']) == ('val', 'predictions', None)
    )
    cards = control['cards']
    values = {
        key: card['iou']['predictions'][0]
        for key, card in enumerate(cards)
        if card['split'] == 'val'
    }
    assert group['total'] == len(values) == 7
    assert values[group['worst'][0]] == min(values.values())
    assert values[group['best'][0]] == max(values.values())
    worst = content.having('id', f'card-{group["worst"][0]}')
    assert len(worst) == 1
    shown = [item['aria-label'] for item in content.having('class', 'predictions')]
    assert (
        f'{cards[group["worst"][0]]["name"]}, prediction, IoU {min(values.values()):.1f}: enlarge'
        in shown
    )


def test_wrong_arguments(finished, tmp_path):
    with pytest.raises(ValueError, match='max_pictures=-1'):
        write_report(finished, max_pictures=-1)
    with pytest.raises(FileNotFoundError, match='no such work folder'):
        write_report(tmp_path / 'nothing')


def colours():
    """CSS variables that differ by theme: name -> (light, dark) as (R, G, B) in [0, 1]."""
    style = (resources.files('mmppc.report') / 'template/style.css').read_text()
    found = re.findall(r'--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\)', style)
    series = [
        (name, light, dark)
        for name, light, dark in re.findall(
            r'^\.(c\d) \{ --c: light-dark\(#(\w{6}), #(\w{6})\)', style, re.M
        )
    ]
    assert len(series) == 8
    return {
        name: tuple(np.array([int(code[k : k + 2], 16) for k in (0, 2, 4)]) / 255 for code in codes)
        for name, *codes in [*found, *series]
    }


def contrast(first, second):
    """Ratio of WCAG 2."""

    def luminance(colour):
        linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722] + 0.05

    light = sorted([luminance(first), luminance(second)])
    return light[1] / light[0]


@pytest.mark.parametrize('theme', [0, 1])
def test_colours_can_be_read(theme):
    colour = {name: values[theme] for name, values in colours().items()}
    for text in ('text', 'soft', 'accent', 'good', 'busy', 'bad'):
        for ground in ('page', 'surface'):
            assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
    assert contrast(colour['soft'], colour['sunken']) >= 4.5
    assert contrast(colour['surface'], colour['accent']) >= 4.5  # the chosen matrix
    assert contrast(colour['control'], colour['surface']) >= 3
    for series in range(1, 9):
        assert contrast(colour[f'c{series}'], colour['surface']) >= 3, series
    for level in range(LEVELS + 1):
        share = level / LEVELS
        cell = share * colour['ramp'] + (1 - share) * colour['ground']
        # Black or white, as the style says.
        white = level >= SWITCHES['light-ink'] if theme == 0 else level < SWITCHES['dark-ink']
        assert contrast(np.full(3, float(white)), cell) >= 4.5, level


# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
VISION = {
    'normal': np.eye(3),
    'protanopia': [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    'deuteranopia': [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    'tritanopia': [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def seen_lab(colour, vision):
    """CIE L*a*b* of a colour as it is seen."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    x, y, z = np.cbrt(np.maximum(TO_XYZ @ seen / [0.9505, 1, 1.089], 1e-3))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize('vision', VISION)
@pytest.mark.parametrize('theme', [0, 1])
def test_series_stay_apart_for_everybody(theme, vision):
    found = colours()
    seen = [seen_lab(found[f'c{k}'][theme], vision) for k in range(1, 7)]
    distances = {
        (i + 1, j + 1): np.linalg.norm(seen[i] - seen[j]) for i in range(6) for j in range(i)
    }
    assert min(distances.values()) > 18, min(distances, key=distances.get)
