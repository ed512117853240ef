# Each target makes .venv and installs what it needs by itself; nothing but Python >= 3.10, its pip and make is asked for.
#   make demo    train both classifiers on made-up data and write report.html
#   make test    the tests, two at a time
#   make check   formatting, lint, types
#   make bench   side by side with other libraries, twenty minutes (bench-quick: two minutes; bench-gpu: on a GPU)
# Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo test check bench bench-quick bench-gpu install clean

help:
	@sed -n '1,6s/^# *//p' Makefile

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else "Python 3.10 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP)
	$(BIN)/conv1d-kit demo

# One thread a worker: two workers on two cores would otherwise fight for them.
test: $(STAMP)
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MPLBACKEND=agg $(BIN)/python -m pytest -n 2

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.text_speed

bench-quick: $(STAMP)
	$(BIN)/python -m benchmarks.run --quick

bench-gpu: $(STAMP)
	$(BIN)/python -m benchmarks.gpu

clean:
	rm -rf $(VENV) build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis
