# Everything runs in .venv, which is made on first use. PYTHON names the interpreter to make it with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install demo test lint types browser pytest format clean

help:
	@echo 'make demo     the whole way on the toy set: train, seeds, masks, retrain, test, a report'
	@echo 'make test     style, types and all tests'
	@echo 'make lint     style only'
	@echo 'make install  make $(VENV) and install mmppc with all extras'

install: $(STAMP)

$(STAMP): setup.py
	@command -v '$(PYTHON)' > /dev/null || { \
	  echo 'error: $(PYTHON) not found; name a Python >= 3.10: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: mmppc needs Python >= 3.10, $(PYTHON) is $$('$(PYTHON)' --version 2>&1)." \
	    'Name another: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)' >&2; exit 1; }
	@'$(PYTHON)' -c 'import venv, ensurepip' 2> /dev/null || { \
	  echo 'error: $(PYTHON) has no venv module (on Debian or Ubuntu: apt-get install python3-venv)' >&2; exit 1; }
	@command -v c++ > /dev/null || command -v g++ > /dev/null || { \
	  echo 'error: no C++ compiler, which the dense CRF needs (on Debian or Ubuntu: apt-get install build-essential)' >&2; exit 1; }
	test -x $(BIN)/python || '$(PYTHON)' -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@# pydensecrf2 pins a Cython that does not know Python 3.13; it builds with a newer one.
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then \
	  $(BIN)/python -m pip install --quiet 'cython>=3' setuptools wheel && \
	  $(BIN)/python -m pip install --quiet --no-build-isolation pydensecrf2; fi
	$(BIN)/python -m pip install --quiet -e '.[all]'
	@touch $@

demo: $(STAMP)
	$(BIN)/python tools/run_pipeline.py ppc_seam_toy --work-dir work_dirs/demo

test: lint types pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# The report's tests look at it in a browser. In CI that is installed; elsewhere they are skipped without one.
browser:
	@if test -n "$$CI" && ! command -v chromium > /dev/null && command -v apt-get > /dev/null && test "$$(id -u)" = 0; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends chromium chromium-driver > /dev/null; fi

# After lint and types, whatever -j says: pytest's own summary ends the output.
pytest: $(STAMP) browser | lint types
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
