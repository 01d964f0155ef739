"""The page in a real browser: nothing from outside, everything can be used, and read, on every screen."""

import base64
import importlib
import json
import os
import shutil

import pytest

DESK, PHONE = (1440, 900), (375, 812)
OPTIONS = (
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
)

# Texts that can be seen, with their contrast against what lies behind them, by WCAG 2. SVG texts lie on shapes whose
# colours test_page.py looks at.
CONTRASTS = """
const parse = (text) => {
  const found = text.match(/[\\d.]+/g).map(Number);
  return { rgb: found.slice(0, 3), alpha: found.length > 3 ? found[3] : 1 };
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
};
const behind = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const found = parse(getComputedStyle(at).backgroundColor);
    if (found.alpha === 1) return found.rgb;
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const seen = [];
for (let text = walker.nextNode(); text; text = walker.nextNode()) {
  const node = text.parentElement;
  if (!text.textContent.trim() || node.closest('svg, script, style, .unseen, option, [hidden]')) continue;
  if (!node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
  const style = getComputedStyle(node);
  const [a, b] = [luminance(parse(style.color).rgb), luminance(behind(node))].sort((x, y) => y - x);
  seen.push([a / b, text.textContent.trim().slice(0, 40), style.color, node.className]);
}
return seen;
"""


def open_browser():
    """A browser of its own; skipped where there is none, which in CI is a failure."""
    missing = [name for name in ('chromium', 'chromedriver') if shutil.which(name) is None]
    try:
        importlib.import_module('selenium')
    except ImportError:
        missing.append('selenium')
    if missing:
        (pytest.fail if os.environ.get('CI') else pytest.skip)(
            f'not installed: {", ".join(missing)}'
        )
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    return options, webdriver


@pytest.fixture(scope='module')
def chromium(tmp_path_factory):
    options, webdriver = open_browser()
    options.add_argument(f'--user-data-dir={tmp_path_factory.mktemp("profile")}')
    service = webdriver.ChromeService(shutil.which('chromedriver'))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


class Browser:
    """What the tests do with the page."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, path, size=DESK, *, dark=False, scripts=True):
        """Show a page as on a fresh visit."""
        command = self.driver.execute_cdp_cmd
        width, height = size
        metrics = dict(width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        command('Emulation.setDeviceMetricsOverride', metrics)
        feature = dict(name='prefers-color-scheme', value='dark' if dark else 'light')
        command('Emulation.setEmulatedMedia', dict(features=[feature]))
        command('Emulation.setScriptExecutionDisabled', dict(value=not scripts))
        self.driver.get('about:blank')
        for kind in ('browser', 'performance'):
            self.driver.get_log(kind)
        self.driver.get(path.as_uri())
        return self

    def run(self, script, *args):
        return self.driver.execute_script(script, *args)

    def all(self, query):
        return self.driver.find_elements('css selector', query)

    def one(self, query):
        return self.driver.find_element('css selector', query)

    def shown(self):
        """Places of the cards that are shown, in order."""
        script = "return [...document.querySelectorAll('.card')].filter((c) => c.checkVisibility()).map((c) => c.id)"
        return [int(name.removeprefix('card-')) for name in self.run(script)]

    def choose(self, name, value):
        from selenium.webdriver.support.ui import Select

        Select(self.one(f'#filters [name="{name}"]')).select_by_value(str(value))

    def press(self, *keys):
        from selenium.webdriver import ActionChains, Keys

        chain = ActionChains(self.driver)
        for key in keys:
            chain.send_keys(getattr(Keys, key))
        chain.perform()

    def wait_for(self, node):
        """Wait until a node is shown: on a busy machine the page answers a key after a while."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 60).until(lambda _: node.is_displayed() and node.text)

    def unfold(self):
        self.run("document.querySelectorAll('details').forEach((node) => { node.open = true; })")

    def control(self):
        """What the filters know."""
        return json.loads(self.run("return document.querySelector('#gallery-data').textContent"))

    def complaints(self):
        return [entry['message'] for entry in self.driver.get_log('browser')]

    def requests(self):
        """Addresses asked for, each with the reason for which it was blocked, or None."""
        logged = [
            json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance')
        ]
        events = [(item['method'], item['params']) for item in logged]
        blocked = {
            params['requestId']: params.get('blockedReason')
            for method, params in events
            if method == 'Network.loadingFailed'
        }
        return [
            (params['request']['url'], blocked.get(params['requestId']))
            for method, params in events
            if method == 'Network.requestWillBeSent'
        ]


@pytest.fixture
def browser(chromium):
    found = Browser(chromium)
    yield found
    found.run('try { localStorage.clear(); } catch { }')


@pytest.mark.parametrize('size', [DESK, PHONE])
def test_nothing_is_fetched_and_nothing_goes_wrong(browser, page, evil, size):
    for path in (page, evil):
        browser.open(path, size)
        for query in ('#log', '#smooth', '#sort'):
            browser.run('arguments[0].click()', browser.one(query))
        browser.unfold()
        requests = browser.requests()
        assert requests[0] == (path.as_uri(), None)
        assert [url for url, _ in requests[1:] if not url.startswith('data:')] == []
        assert browser.complaints() == []
        assert (
            browser.run(
                "return document.querySelectorAll('[onclick], [onerror], #cards script').length"
            )
            == 0
        )


def test_what_the_policy_forbids_does_not_happen(browser, page, tmp_path):
    """Even if a name broke out of its place, the browser would neither run nor fetch it."""
    text = page.read_text(encoding='utf-8')
    attack = (
        '<script>document.title = "run"</script><img src="https://example.invalid/x.png"></main>'
    )
    changed = tmp_path / 'changed.html'
    changed.write_text(text.replace('</main>', attack), encoding='utf-8')
    browser.open(changed)
    assert browser.driver.title == 'toy run'
    assert len([line for line in browser.complaints() if 'Content Security Policy' in line]) == 2
    assert [item for item in browser.requests() if 'example' in item[0]] == [
        ('https://example.invalid/x.png', 'csp')
    ]


@pytest.mark.parametrize('width', [320, 375, 768, 1440])
def test_no_page_is_wider_than_its_screen(browser, page, evil, width):
    for path in (page, evil):
        browser.open(path, (width, 812))
        browser.unfold()
        inner, outer = browser.run(
            'return [document.documentElement.clientWidth, document.documentElement.scrollWidth]'
        )
        assert outer == inner  # which is less than the width by a scroll bar, if there is one
        assert width - 20 <= inner <= width
        outside = browser.run(
            """return [...document.querySelectorAll('main *, header *')]
              .filter((node) => node.checkVisibility() && !node.closest('.scroll, svg, .unseen, pre, nav'))
              .filter((node) => node.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
              .map((node) => `${node.tagName}.${node.className}`)"""
        )
        assert outside == []


@pytest.mark.parametrize('dark', [False, True])
def test_colours_follow_the_system_until_the_reader_chooses(browser, page, dark):
    ground = 'return getComputedStyle(document.body).backgroundColor'
    light, black = 'rgb(246, 247, 248)', 'rgb(18, 20, 22)'
    browser.open(page, dark=dark)
    assert browser.run(ground) == (black if dark else light)
    button = browser.one('#theme')
    assert button.text == ('Light' if dark else 'Dark')
    button.click()
    assert browser.run(ground) == (light if dark else black)
    browser.driver.refresh()
    assert browser.run(ground) == (light if dark else black)
    browser.one('#theme').click()
    assert browser.run(ground) == (black if dark else light)


@pytest.mark.parametrize('dark', [False, True])
def test_texts_can_be_read(browser, page, dark):
    browser.open(page, dark=dark)
    browser.unfold()
    browser.one('.card:not([hidden]) .cell').click()
    seen = browser.run(CONTRASTS)
    assert len(seen) > 500
    assert [item for item in seen if item[0] < 4.5] == []


def test_without_scripts_all_is_there(browser, page):
    browser.open(page, scripts=False)
    # The driver's own scripts still run.
    assert len(browser.shown()) == 16
    assert len([item for item in browser.all('.confusion') if item.is_displayed()]) == 4
    assert not browser.one('#filters').is_displayed()
    assert not browser.one('#theme').is_displayed()


def test_filters(browser, page):
    browser.open(page)
    control = browser.control()
    cards, groups = control['cards'], control['groups']

    def group(split, column, label=None):
        wanted = (split, column, label)
        return next(
            item for item in groups if (item['split'], item['column'], item['label']) == wanted
        )

    # At first: the split with predictions, by the prediction; worst, median, best.
    val = group('val', 'predictions')
    assert browser.shown() == [*val['worst'], *val['median'], *val['best']]
    assert [node.text for node in browser.all('#cards .kind')] == [
        'Worst',
        'Around the median',
        'Best',
    ]
    assert browser.one('#status').text == '7 pictures of 7 of val, by the IoU of the prediction'
    ranks = [node.text for node in browser.all('.card:not([hidden]) .rank')]
    worst = cards[val['worst'][0]]['iou']['predictions'][0]
    assert ranks[0] == f'prediction: IoU {worst:.1f}'

    browser.choose('show', 'best')
    assert browser.shown() == val['best']
    browser.choose('column', 'seeds')
    assert browser.shown() == group('val', 'seeds')['best']
    browser.choose('show', 'all')
    shown = browser.shown()
    values = [cards[key]['iou']['seeds'][0] for key in shown]
    assert values == sorted(values)
    assert {cards[key]['split'] for key in shown} == {'val'}
    assert len(shown) == 7

    # The other split has masks and no predictions; the reader's column stays.
    browser.choose('split', 'train')
    values = [cards[key]['iou']['seeds'][0] for key in browser.shown()]
    assert len(values) == 9
    assert values == sorted(values)
    options = browser.all('#filters [name="column"] option')
    assert [option.get_attribute('value') for option in options if option.is_enabled()] == [
        'seeds',
        'masks',
    ]

    label = cards[browser.shown()[0]]['classes'][0]
    browser.choose('label', label)
    having = [
        key
        for key, card in enumerate(cards)
        if card['split'] == 'train' and label in card['classes']
    ]
    assert sorted(browser.shown()) == having
    values = [cards[key]['iou']['seeds'][1][str(label)] for key in browser.shown()]
    assert values == sorted(values)
    browser.choose('show', 'worst')
    assert browser.shown() == group('train', 'seeds', label)['worst']
    name = browser.one('#filters [name="label"] option:checked').text
    assert (
        f'of train that show {name}, by the IoU of {name} of the seed'
        in browser.one('#status').text
    )


def test_enlarged_by_keyboard(browser, page):
    browser.open(page)
    cells = browser.all('.card:not([hidden]) .cell')
    browser.run('arguments[0].focus()', cells[0])
    browser.press('ENTER')
    large = browser.one('#large')
    assert large.is_displayed()
    title = browser.one('#large-title')
    assert title.text.endswith(', picture')
    browser.press('ARROW_RIGHT')
    assert title.text.endswith(', truth')
    picture = "return getComputedStyle(document.querySelector('#large .pixels'), '::after').backgroundImage"
    assert browser.run(picture).startswith('url("data:image/')
    names = [item.text for item in browser.all('#large-classes li')]
    assert names
    assert 'background' not in names
    browser.press('ARROW_LEFT', 'ARROW_LEFT')  # there is nothing before the first
    assert title.text.endswith(', picture')
    assert browser.run(picture) == 'none'
    browser.press('ESCAPE')
    assert not large.is_displayed()
    assert browser.driver.switch_to.active_element == cells[0]
    # By pointer too, closed by its button.
    cells[1].click()
    assert large.is_displayed()
    browser.one('#large-close').click()
    assert not large.is_displayed()


def test_enlarged_picture_fits_a_phone(browser, page):
    browser.open(page, PHONE)
    browser.run("document.querySelector('.card:not([hidden]) .cell').click()")
    box = browser.one('#large').rect
    inner = browser.one('#large .pixels').rect
    assert box['x'] >= 0
    assert box['x'] + box['width'] <= 375
    assert inner['x'] >= box['x']
    assert inner['x'] + inner['width'] <= box['x'] + box['width']
    assert inner['width'] > 250
    assert browser.one('#large-close').is_displayed()


def test_overlay(browser, page):
    browser.open(page)
    opacity = (
        "return getComputedStyle(document.querySelector('.cell.truth .pixels'), '::after').opacity"
    )
    assert browser.run(opacity) == '0.65'
    browser.run("document.querySelector('#filters [name=opacity]').focus()")
    browser.press('END')
    assert browser.run(opacity) == '1'
    assert browser.run("return document.querySelector('#large-opacity').value") == '100'


def test_line_plots(browser, page):
    browser.open(page)
    linear, log = browser.one('.loss .scale.linear'), browser.one('.loss .scale.log')
    assert (linear.is_displayed(), log.is_displayed()) == (True, False)
    browser.one('#log').click()
    assert (linear.is_displayed(), log.is_displayed()) == (False, True)
    assert browser.one('.rate .scale.linear').is_displayed()
    browser.one('#smooth').click()
    assert not [path for path in browser.all('.line.smooth') if path.is_displayed()]
    # Arrow keys tell the values, Escape hides them.
    browser.run("document.querySelector('.plot').focus()")
    browser.press('ARROW_LEFT')
    tip = browser.one('#tip')
    browser.wait_for(tip)
    assert tip.text.splitlines() == [
        'iteration 120', 'loss, as logged: 0.125', f'loss, smoothed: {browser.one("#tip").text.split(": ")[-1]}',
    ]  # fmt: skip
    browser.press('ARROW_LEFT')
    assert tip.text.startswith('iteration 110\n')
    browser.press('ESCAPE')
    assert not tip.is_displayed()


def test_confusion_matrices(browser, page, finished):
    browser.open(page)
    shown = [item for item in browser.all('.confusion') if item.is_displayed()]
    assert len(shown) == 1
    counts = json.loads((finished / 'final/mask_metric_val.json').read_text())['confusion']
    browser.run("document.querySelector('.confusion:not([hidden]) .matrix').focus()")
    browser.press('ARROW_DOWN', 'ARROW_DOWN', 'ARROW_RIGHT')
    total = sum(counts[2])
    readout = shown[0].find_element('css selector', '.readout').text
    assert readout.endswith(f'{counts[2][1]:,} of {total:,} pixels')
    assert readout.startswith('dog taken for cat: ')
    # The first of them by keyboard: the seeds of train.
    browser.run("document.querySelector('input[name=matrix]:checked').focus()")
    browser.press('ARROW_UP', 'ARROW_UP', 'ARROW_UP')
    shown = [item for item in browser.all('.confusion') if item.is_displayed()]
    assert [item.get_attribute('data-matrix') for item in shown] == [
        browser.all('.confusion')[0].get_attribute('data-matrix')
    ]


def test_classes_sorted(browser, page):
    browser.open(page)
    places = "return [...document.querySelectorAll('.class-row')].map((row) => Number(row.dataset.place))"
    ranks = (
        "return [...document.querySelectorAll('.class-row')].map((row) => Number(row.dataset.rank))"
    )
    assert browser.run(places) == list(range(7))
    browser.one('#sort').click()
    assert browser.run(ranks) == sorted(browser.run(ranks))
    browser.one('#sort').click()
    assert browser.run(places) == list(range(7))


def test_printed(browser, page):
    browser.open(page, dark=True)
    pdf = base64.b64decode(browser.driver.execute_cdp_cmd('Page.printToPDF', {})['data'])
    assert pdf.startswith(b'%PDF')
    browser.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(media='print'))
    assert not browser.one('nav').is_displayed()
    assert browser.one('#figures').is_displayed()
    assert (
        browser.run('return getComputedStyle(document.querySelector("h1")).color')
        == 'rgb(22, 25, 28)'
    )
