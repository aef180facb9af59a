# make quickstart | make test | make install | make check       No other step; python3 >= 3.11 with venv is all that is needed.
# PYTHON=python3.12 make install    another interpreter; VENV=/elsewhere another place for the environment.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-gpu check format reference picture clean

VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS ?= test,weights
# Tests at a time: many of them wait for a Ray or a server, so twice as many as there are cores.
JOBS ?= $(shell echo $$(( $$(nproc) * 2 )))
# The first of these that is new enough makes the environment.
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(if $(shell $(name) -c 'import sys; print("y" * (sys.version_info >= (3, 11)))' 2>/dev/null),$(name))))

help:
	@echo 'make quickstart   environment, then a first study (CPU, no download beyond the packages)'
	@echo 'make test         environment, then the whole test suite (all but the tests that need a GPU)'
	@echo 'make install      environment only: $(VENV), with what the tests need'
	@echo 'make check        lint, format, types, and whether the generated pages are fresh'
	@echo 'make reference    writes the generated pages anew'
	@echo 'make test-gpu     the tests that need a GPU'

# Remade when the environment is missing or when what it is made from has changed.
$(STAMP): pyproject.toml constraints.txt
	@if [ -z '$(PYTHON)' ] || ! '$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	  echo "nightsweep needs Python 3.11 or newer; python3 here is: $$(python3 --version 2>&1 || true)." >&2; \
	  echo 'Install one and name it:  make $(or $(MAKECMDGOALS),install) PYTHON=/path/to/python3.12' >&2; exit 1; fi
	@if ! '$(PYTHON)' -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo 'This Python has no venv. On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; fi
	@test -x $(BIN)/python || '$(PYTHON)' -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@# Ray's wheel also brings a script named `tune`, and the last one installed wins: ours goes last, again where need be.
	@if ! grep -q 'from tune import main' $(BIN)/tune; then \
	  $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --force-reinstall --editable .; fi
	@touch $@

install: $(STAMP)

quickstart: install
	$(BIN)/tune run search_spaces/quickstart.yaml

test: install
	$(BIN)/python -m pytest -m 'not gpu' -n $(JOBS) --dist worksteal

test-gpu: install
	$(BIN)/python -m pytest -m gpu

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/build_cli.py --check
	$(BIN)/python -m orchestrator.study_file.reference --check

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

reference: install
	$(BIN)/python docs/build_cli.py
	$(BIN)/python -m orchestrator.study_file.reference

# The picture in the README: the first screen of the quickstart's report.
picture:
	mkdir -p docs/images
	chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync \
	  --user-data-dir=$$(mktemp -d) --hide-scrollbars --virtual-time-budget=4000 --window-size=1120,800 \
	  --screenshot=docs/images/report.png file://$(CURDIR)/runs/quickstart/report/report.html

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
