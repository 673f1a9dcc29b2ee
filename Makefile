# make demo   set everything up and color the demo pictures
# make test   set everything up and run lint, types, layers and tests
# make check  the inner loop: lint, types, layers and the quick tests
# make audit  ask PyPI's advisories about every pinned dependency (needs the internet)
# make chaos  kill, freeze and starve a station at work, and see that nothing is lost (half an hour or more)
# make bench  print the tables of docs/research/speed.md, and a small form of one of docs/reliability.md
# make bench-queue  measure a record of a million scans (ten minutes, 10 GB of disk)
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# what `make bench` runs, one after the other; each prints its own table
BENCHMARKS := benchmarks/restore.py benchmarks/engine.py benchmarks/windows.py benchmarks/cold.py \
	benchmarks/throughput.py benchmarks/ingest.py

# what `make check` runs: no servers, no stations, no networks
QUICK := tests/db tests/deploy tests/restoration/arrays tests/restoration/masters tests/restoration/derivatives \
	tests/worker/storage tests/worker/parts tests/test_architecture.py tests/test_contributing.py tests/test_source.py

.PHONY: demo test check lint tests quick audit bench bench-queue setup constraints clean-demo chaos

demo: setup
	$(BIN)/saek demo --into demo

test: lint tests

check: lint quick

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
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal --durations=30

quick: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q -m 'not slow and not postgres' $(QUICK)

# 10,000 files and 200 kills each on SQLite with the embedded broker and on PostgreSQL with one reached by TCP
chaos: setup
	$(BIN)/python tests/faults/hostile.py --files 3000 --seed 1
	$(BIN)/python tests/faults/chaos.py --on embedded --files 10000 --kills 200 --seed 1
	$(BIN)/python tests/faults/chaos.py --on distributed --files 10000 --kills 200 --seed 2

audit:
	PYTHON=$(PYTHON) .ci/audit

bench: setup
	for each in $(BENCHMARKS); do echo "== $$each"; $(BIN)/python $$each || exit 1; done

bench-queue: setup
	$(BIN)/python benchmarks/scale.py

constraints: setup
	@echo '# Exact versions that CI ran with. Names and versions only: no addresses. Refresh with `make constraints`.' > constraints.txt
	$(BIN)/python -m pip freeze --exclude-editable | grep -vE '^(saek|pip|setuptools)([=@ ]|$$)|@' >> constraints.txt

clean-demo:
	rm -rf demo
