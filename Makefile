# `make help` lists the targets. Everything lives in .venv; `make clean` removes it.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test engines lint format bench calibrate clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.installed  ## run the CDNOW example end to end: reports/cdnow/
	$(BIN)/clv run examples/cdnow.toml

test: $(VENV)/.tested  ## run the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

engines: $(VENV)/.tested  ## run only the engines' tests, beside a throw-away PostgreSQL server
	.ci/postgres $(BIN)/python -m pytest -k 'duckdb or postgres or spark'

lint: $(VENV)/.tested  ## check style and types
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

format: $(VENV)/.tested  ## format the code
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

bench: $(VENV)/.tested  ## measure against other libraries (half an hour, 3 GB of disk)
	$(PIP) -e '.[lifetimes]'
	$(BIN)/python benchmarks/models.py
	$(BIN)/python benchmarks/inference.py
	$(BIN)/python benchmarks/rfm.py
	$(BIN)/python benchmarks/accuracy.py back_tests costs memory

calibrate: $(VENV)/.tested  ## check posteriors and bands by simulation (an hour and a half)
	$(BIN)/python benchmarks/calibrate.py
	$(BIN)/python benchmarks/accuracy.py coverage

clean:  ## remove the environment and caches; reports stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || \
	  { echo "clv needs Python 3.12 or newer, $(PYTHON) is older: make $(MAKECMDGOALS) PYTHON=python3.13"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(PIP) -e .
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(PIP) -e . --group test
	@touch $@
