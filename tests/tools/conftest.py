"""Tools in this process, where starting another one would only take time."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.fixture
def run_here(capsys, monkeypatch):
    """Run a tool by its path below ``tools``: its ``returncode``, ``stdout`` and ``stderr``."""

    def run(tool, *arguments):
        path = TOOLS / tool
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, 'argv', [path.name, *map(str, arguments)])
        code = 0
        try:
            module.main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=out, stderr=err)

    return run
