# Everything here needs only make, Python 3.11 to 3.14 and a package index; `make run` and `make test` install the rest.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links
WORKERS ?= 2

.PHONY: run test test-all check bench clients lock openapi clean

run: $(VENV)/.run
	@exec $(BIN)/hearth serve --demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) $(if $(EXHAUSTIVE),-m "")

# The suite, the heavy variants too, under every supported Python that this machine has.
test-all:
	@for minor in 11 12 13 14; do \
	  if command -v python3.$$minor >/dev/null 2>&1 && python3.$$minor -c '' 2>/dev/null; then \
	    echo "Python 3.$$minor"; $(MAKE) --no-print-directory test EXHAUSTIVE=1 VENV=.venv-3.$$minor PYTHON=python3.$$minor || exit 1; \
	  fi; \
	done

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/architecture
	$(BIN)/python tests/wheel/smoke.py

bench: $(VENV)/.dev
	$(BIN)/python tests/bench/main.py $(BENCH)

# Seven clients of other people, each installed below build/clients, drive a running Hearth; CLIENTS="--only fhirpy" for some.
clients: $(VENV)/.dev
	$(BIN)/python tests/clients/main.py $(CLIENTS)

# Anew from pyproject.toml; add UPGRADE=--upgrade for the newest releases. The runtime lock is a part of the dev lock.
lock: $(VENV)/.dev
	$(LOCK) $(UPGRADE) pyproject.toml --group dev --output-file requirements-dev.lock
	$(LOCK) $(UPGRADE) pyproject.toml --constraint requirements-dev.lock --output-file requirements.lock
	$(LOCK) $(UPGRADE) --group pyproject.toml:build --constraint requirements-dev.lock --output-file requirements-build.lock

openapi: $(VENV)/.dev
	$(BIN)/hearth openapi --write

clean:
	rm -rf .venv .venv-3.* .hearth dist build .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache

$(VENV)/.run: $(VENV)/pyvenv.cfg requirements.lock requirements-build.lock pyproject.toml
	@echo "Installing Hearth into $(VENV) (once; about a minute)"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --require-hashes -r requirements-build.lock
	@$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/pyvenv.cfg requirements-dev.lock requirements-build.lock pyproject.toml
	@echo "Installing Hearth and its development tools into $(VENV) (once; about a minute)"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@$(PIP) --require-hashes -r requirements-build.lock
	@$(PIP) --no-build-isolation --no-deps -e .
	@touch $@ $(VENV)/.run

$(VENV)/pyvenv.cfg:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; \
	  then exec $$python -m venv $(VENV); fi; \
	done; \
	echo "Hearth needs Python 3.11 to 3.14 with its venv module (Debian: python3-venv); name one with make PYTHON=..." >&2; \
	exit 1
