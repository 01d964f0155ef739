"""Options of the command line, as a config takes them."""

import argparse

import pytest

from mmppc.utils import runner


def options(*given):
    parser = argparse.ArgumentParser()
    runner.add_common_arguments(parser)
    return parser.parse_args(['--cfg-options', *given]).cfg_options


def test_options_keep_the_spaces_of_a_path():
    found = options(
        'data_root=/data/my pictures, new', 'a.b=[1, 2]', 'c=(3, x)', 'd=1, 2', 'e=1e-3', 'f=g'
    )
    assert found == {
        'data_root': '/data/my pictures, new',
        'a.b': [1, 2],
        'c': (3, 'x'),
        'd': [1, 2],
        'e': 1e-3,
        'f': 'g',
    }
    assert options('data_root=Bilder für mich') == {'data_root': 'Bilder für mich'}
    paths = {'data_root': '/data/a,b', 'mask_dir': '007', 'seed_dir': '2020 08'}
    assert options(*(f'{key}={value}' for key, value in paths.items())) == paths


def test_an_option_without_a_value_is_refused(capsys):
    with pytest.raises(SystemExit):
        options('data_root')
    assert "found 'data_root', expected KEY=VALUE" in capsys.readouterr().err
