# `make demo` and `make test` set up what they need in .venv and run it.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# The other benchmarks need data, and `pip install -e '.[bench]'`; see docs/benchmarks.md.
.PHONY: demo test check bench clean
.NOTPARALLEL:

demo: .venv/.base
	$(BIN)/python examples/demo.py

test: .venv/.full
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: .venv/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.full
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/torture.py

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage demo-memory demo.svg

.venv/.base: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -e .
	touch $@

.venv/.full: .venv/.base
	$(PIP) -e '.[all,dev]'
	touch $@
