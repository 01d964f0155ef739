import pytest

from mmppc.functional.contrast_options import PRESETS, ContrastOptions


def test_presets_keep_the_published_threshold() -> None:
    assert {options.bg_threshold for options in PRESETS.values()} == {0.2}


@pytest.mark.parametrize('value', [1.0, -0.1, 'auto', float('nan')])
def test_a_threshold_out_of_range_is_refused(value) -> None:
    with pytest.raises(ValueError, match=r'bg_threshold must be in \[0, 1\), got'):
        ContrastOptions(bg_threshold=value)


def test_thresholds_in_range_are_taken() -> None:
    assert [ContrastOptions(bg_threshold=value).bg_threshold for value in (0, 0.999)] == [0, 0.999]


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(TypeError, match=r"no option \['auto_threshold'\]"):
        ContrastOptions.from_preset('paper', auto_threshold='otsu')
