"""The figure of a table."""

from xml.etree import ElementTree

from mmppc.pipeline.ablation_plot import plot_svg
from mmppc.pipeline.ablation_rows import TABLES
from tests.pipeline.test_ablation_table import RECORDS, record

SVG = '{http://www.w3.org/2000/svg}'


def texts(svg: str) -> list[str]:
    return [
        ''.join(found.itertext()).strip()
        for found in ElementTree.fromstring(svg).iter(f'{SVG}text')
    ]


def test_figure_says_what_it_shows() -> None:
    table = TABLES['6']
    svg = plot_svg(table, 'toy', RECORDS)
    found = texts(svg)
    assert 'mIoU of the seeds on train, at its best threshold (%)' in found
    for label in ('K = 0 (SEAM) (3)', 'K = 4 (0)', 'K = 8 (1)'):
        assert label in found
    assert any('Table 6, the number K of pixels in a prototype: toy' in text for text in found)
    assert len(svg) < 40_000


def test_figure_has_a_point_a_run() -> None:
    table = TABLES['6']

    def points(records: list[dict]) -> int:
        return plot_svg(table, 'toy', records).count('<use ')

    # A run's circle alone: the row, its mean and its interval are there already.
    more = [*RECORDS, record('table5_seam', 3, train_miou=49.0)]
    assert points(more) == points(RECORDS) + 1
    assert points([]) < points(RECORDS[:1])


def test_figure_is_the_same_each_time() -> None:
    first, second = (plot_svg(TABLES['6'], 'toy', RECORDS) for _ in range(2))
    assert first == second
    assert 'dc:date' not in first
