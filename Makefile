# Two commands are enough: `make demo` shows the main job on real data, `make test` runs the fast tests. Each makes its own
# environment. The rest is for those who change mlgit. Times are those of two otherwise idle cores.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
# What the tests of the workflows ask, if npm is there and its registry answers; they say so where they are skipped.
NODE := $(if $(shell command -v npm),tools/node/built/evaluate.cjs)

.DEFAULT_GOAL := help
.PHONY: help demo test check thorough format lint types layers flows fix schemas docs bench remotes mutants build node clean

# A worker that has done its tests takes some of another's, so that a long one does not end last alone.
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal

help: ## List the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# One environment; the stamp says what is in it.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "mlgit needs Python 3.11 or later: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.user: $(VENV)/.made pyproject.toml
	@echo "Installing mlgit and what it needs into $(VENV) (once)"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	@echo "Installing mlgit and what its tests need into $(VENV) (once)"
	$(BIN)/python -m pip install --quiet --editable . --group test --group lint
	@touch $@ $(VENV)/.user

demo: $(VENV)/.user ## Show the main job, end to end, on real data
	@$(BIN)/python demo/run.py

test: $(VENV)/.dev $(NODE) ## Run the fast tests: units, laws, and a flow of each kind (at most three minutes)
	$(PYTEST) -m fast

check: format lint types layers flows ## Run what CI runs for each change: checks of the code, and all tests but the thorough ones (nine to ten minutes)

flows: $(VENV)/.dev $(NODE)
	$(PYTEST) -m 'not thorough'

thorough: $(VENV)/.dev $(NODE) ## Run the thorough tests: kill and fail everywhere, swap content, train, long histories (an hour; CI runs them weekly)
	$(PYTEST) -m thorough

format: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

fix: $(VENV)/.dev ## Format, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(VENV)/.dev ## Write the JSON Schemas again
	$(BIN)/python -m mlgit.schemas

docs: $(VENV)/.dev ## Write the reference pages again
	$(BIN)/python -m tools.reference

bench: $(VENV)/.dev ## Measure speed at scale (minutes; never part of the tests)
	$(BIN)/python -m benchmarks.run

$(VENV)/.mutation: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group mutation
	@touch $@

$(VENV)/.remotes: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group remotes
	@touch $@

remotes: $(VENV)/.remotes ## Try S3, SSH and WebDAV for real, on servers of this machine (two minutes; no other target has them)
	$(BIN)/python -m pytest -n0 tests/remotes

mutants: $(VENV)/.mutation ## Break what decides on purpose, and list what no test notices (a quarter of an hour; never part of the tests)
	$(BIN)/python -m mutmut run
	$(BIN)/python -m mutmut results

build: $(VENV)/.dev ## Build the wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

tools/node/built/evaluate.cjs: tools/node/package-lock.json tools/node/evaluate.mjs
	@echo "Installing GitHub's own parser of workflows into tools/node (once)"
	@{ npm ci --silent --prefix tools/node && npm run --silent --prefix tools/node build; } \
	|| echo "It cannot be had here: the tests of the workflows will be skipped"

node: $(NODE) ## Install what the tests of the workflows ask of Node

clean: ## Remove the environment and what was built
	rm -rf $(VENV) build dist mutants
