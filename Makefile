# Everything here needs Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test check bench bench-full format lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## watch real books ring real webhooks (under 20 s)
	@$(BIN)/bookbell demo

test: $(VENV)/.dev ## run every test, on SQLite and on a real PostgreSQL
	@$(BIN)/coverage run -m pytest tests/core tests/test_receiver.py
	@$(BIN)/coverage report --fail-under=100
	@$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal --ignore=tests/core --ignore=tests/test_receiver.py

check: $(VENV)/.dev ## lint, format, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(VENV)/.bench ## measure what a delivery costs, beside what others use (a few minutes)
	@$(BIN)/python -m bench.run

bench-full: $(VENV)/.bench ## the same at the sizes the targets speak of (about an hour, 30 GB of disk)
	@$(BIN)/python -m bench.run --full

format: $(VENV)/.dev ## rewrite the sources in the project's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(VENV)/.dev ## resolve the dependencies again and write the lock files
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --quiet pyproject.toml -o requirements/runtime.txt
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --quiet pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --quiet --group build -c requirements/dev.txt -o requirements/build.txt
	@$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --quiet --group bench -c requirements/dev.txt -o requirements/bench.txt

clean: ## remove the virtual environment and the caches
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("bookbell needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(VENV)/bin/python requirements/runtime.txt pyproject.toml
	@echo "installing bookbell into $(VENV) (once) ..."
	@$(PIP) install --require-hashes -r requirements/runtime.txt
	@$(PIP) install --require-hashes -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo "installing the development tools into $(VENV) (once) ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@echo "installing what the benchmark compares with into $(VENV) (once) ..."
	@$(PIP) install --require-hashes -r requirements/bench.txt
	@touch $@
