# Segue from a checkout. Needs python3 (3.11 or newer), git and make; everything else is put into .venv.

PYTHON ?= python3
DATA ?= data
STOMP ?= 127.0.0.1:61613

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
# For two cores: a third of the time of the daemon's tests is waiting. Not by nproc, which in a container tells the cores
# of its host.
WORKERS ?= 3

# Containers often forbid it: then each of the hundreds of daemons that tests start compiles all of Segue first.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test test-long test-browser check format coverage clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

run: $(VENV)/.installed ## start the broker on loopback, with its data in ./data
	$(BIN)/segue serve --data $(DATA) --stomp $(STOMP)

test: check ## every check and every test but the long ones
	$(PYTEST) -m "not long" --numprocesses=$(WORKERS) --max-worker-restart=0

# Two at a time, under an hour on two cores: the model's tests keep one core busy, the daemon's mostly wait. A group's
# output comes when it ends. Load figures are taken last, by a machine that does nothing else; but not the ten minutes of
# fast producers, which ask for a third of a core.
LONG_GROUPS := test-long-model test-long-daemon test-long-producers test-long-examples
MODEL_TESTS := tests/unit tests/property tests/fuzz tests/helpers tests/faults/storage
PRODUCERS := tests/faults/load/test_fast_producers.py
# Ten minutes of noise or load are one test. In all others, pytest shows every thread's stack after two minutes.
TEN_MINUTES := -o faulthandler_timeout=900

.PHONY: $(LONG_GROUPS) test-long-load

test-long: $(VENV)/.installed-for-tests ## what takes long: crash campaigns, deep queues, thousands of examples
	@failed=0; \
	$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target $(LONG_GROUPS) || failed=1; \
	$(MAKE) --no-print-directory test-long-load || failed=1; \
	exit $$failed

test-long-model:
	$(PYTEST) -m long $(MODEL_TESTS)

test-long-examples:
	$(PYTEST) -m "not long" --hypothesis-profile=long tests/property tests/fuzz

test-long-daemon:
	$(PYTEST) -m long $(TEN_MINUTES) --ignore=tests/faults/load $(addprefix --ignore=,$(MODEL_TESTS)) tests

test-long-producers:
	$(PYTEST) $(TEN_MINUTES) $(PRODUCERS)

test-long-load:
	$(PYTEST) $(TEN_MINUTES) --ignore=$(PRODUCERS) tests/faults/load

test-browser: $(VENV)/.installed-for-tests ## STOMP over WebSocket in Chromium; needs Debian's chromium-headless-shell
	$(PYTEST) tests/interop/in_browser.py

check: $(VENV)/.installed-for-tests ## style, types, who imports whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-for-tests ## put the source into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

coverage: $(VENV)/.installed-for-tests ## which lines and branches the tests reach
	$(BIN)/coverage run -m pytest -m "not long"
	$(BIN)/coverage report --skip-covered --show-missing

clean: ## remove what was made, but not ./data
	rm -rf $(VENV) build dist htmlcov segue.egg-info .coverage .hypothesis
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps depend on the two files that say what has to be installed: touched only when that changes.
$(VENV)/.installed: setup.cfg pyproject.toml | $(BIN)/pip
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-for-tests: setup.cfg pyproject.toml | $(BIN)/pip
	$(PIP) --editable '.[test]'
	@touch $(VENV)/.installed $@

# Debian keeps ensurepip, without which venv makes only half an environment, in a package of its own.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Segue needs Python 3.11 or newer as $(PYTHON); try: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv; \
	  else \
	    echo "$(PYTHON) cannot make a virtual environment; install it first: sudo apt-get install python3-venv" >&2; exit 1; \
	  fi; }
	$(PYTHON) -m venv --clear $(VENV)
