# make demo   set everything up and color the demo pictures
# make test   set everything up and run lint, types, layers and tests
# make audit  ask PyPI's advisories about every pinned dependency (needs the internet)
# make bench  print the tables of docs/speed.md
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# what `make bench` runs, one after the other; each prints its own table
BENCHMARKS := benchmarks/restore.py benchmarks/engine.py benchmarks/cold.py

.PHONY: demo test lint tests audit bench setup constraints clean-demo

demo: setup
	$(BIN)/saek demo --into demo

test: lint tests

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tests: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

audit:
	PYTHON=$(PYTHON) .ci/audit

bench: setup
	for each in $(BENCHMARKS); do echo "== $$each"; $(BIN)/python $$each || exit 1; done

constraints: setup
	@echo '# Exact versions that CI ran with. Names and versions only: no addresses. Refresh with `make constraints`.' > constraints.txt
	$(BIN)/python -m pip freeze --exclude-editable | grep -vE '^(saek|pip|setuptools)([=@ ]|$$)|@' >> constraints.txt

clean-demo:
	rm -rf demo
