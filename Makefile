# Everything a person runs here. `make` alone lists it.
SUPPORTED := 3.14 3.13 3.12 3.11
# The newest of them that works here; PYTHON=… names another. Each is tried, because a name on PATH may not run (pyenv)
# or lack what makes an environment (Debian without python3-venv).
tried = $(shell python$(1) -c 'import ensurepip' 2>/dev/null && echo python$(1))
PYTHON ?= $(or $(firstword $(foreach v,$(SUPPORTED),$(call tried,$v))),python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Nothing outside the checkout is written: no package cache, no user site.
export PIP_NO_CACHE_DIR := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test coverage e2e format check bench storm proof docs screenshots lock clean

EXAMPLES ?= 20000
COUNT ?= 100
STOPS ?= 20
READS ?= 100000

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

setup: $(READY) ## .venv with everything, as requirements.lock pins it

# An environment that is there already stays as it is, whatever Python it has.
define make_venv
@test -e $(1) || { $(PYTHON) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; sys.exit(v not in "$(SUPPORTED)".split() \
  and "$(PYTHON) is Python " + v + ". Name one of $(SUPPORTED): make setup PYTHON=python3.12")' && \
  echo "Making $(1) with $(PYTHON)" && $(PYTHON) -m venv $(1); }
endef

$(READY): requirements.lock pyproject.toml
	$(call make_venv,$(VENV))
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## the sample company, from a small stand-in Asana to blocks on screen
	$(BIN)/perfcopilot-goals demo

dev: setup ## the Dagster UI on http://127.0.0.1:3000
	$(BIN)/perfcopilot-goals dev

test: setup ## the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

coverage: setup ## the tests, slower, and which lines none of them ran in its own process
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered

e2e: setup ## long: the running service through its ticks, deaths and restarts
	$(BIN)/python -m pytest -m long perfcopilot_goals_tests/end_to_end

format: setup ## the code laid out, and mended where a linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: setup ## linters, types, house rules, whether Dagster loads the definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q perfcopilot_goals_tests/test_house.py
	@# With an instance in a folder of its own, so that no Postgres starts.
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && echo 'telemetry: {enabled: false}' > "$$home/dagster.yaml" && \
	  PERFCOPILOT_HOME="$$home" DAGSTER_HOME="$$home" \
	  $(BIN)/python -W ignore -m dagster definitions validate --workspace workspace.yaml

bench: setup .venv-bench/.ready ## what it costs, beside a floor and other libraries; BENCH="loading --quick" for a part
	$(BIN)/python -m benchmarks $(BENCH)

.venv-bench/.ready: benchmarks/requirements.lock
	$(call make_venv,.venv-bench)
	.venv-bench/bin/python -m pip install --quiet --require-hashes -r benchmarks/requirements.lock
	@touch $@

storm: setup ## long: every property and point of a sync, kills, stops, readers; EXAMPLES, COUNT, STOPS, READS: how many
	PERFCOPILOT_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -m hypothesis
	PERFCOPILOT_EVERY_POINT=1 $(BIN)/python -m pytest perfcopilot_goals_tests/faults/test_every_point.py
	$(BIN)/python -W ignore -m perfcopilot_goals_tests.faults.storm kills --count $(COUNT)
	$(BIN)/python -W ignore -m perfcopilot_goals_tests.faults.storm stops --count $(STOPS)
	$(BIN)/python -W ignore -m perfcopilot_goals_tests.faults.storm readers --count $(READS)

proof: ## long: a backfill over two Celery workers, one of them killed (deploy/README.md); needs redis-server
	$(PYTHON) -m deploy.proof

docs: setup ## docs/tables.md from the models, docs/faults.md from the tests
	$(BIN)/python -m perfcopilot_goals.schemas.dictionary
	$(BIN)/python -m perfcopilot_goals_tests.faults.catalogue

screenshots: setup ## the pictures of the docs, taken in headless Chromium
	$(BIN)/python -m perfcopilot_goals_tests.screenshots

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url \
  --no-header --no-annotate --quiet

lock: ## the three lock files anew (needs uv)
	$(LOCK) pyproject.toml --extra dev -o requirements.lock
	$(LOCK) pyproject.toml --extra deploy --constraints requirements.lock -o deploy/requirements.lock
	$(LOCK) benchmarks/requirements.in -o benchmarks/requirements.lock

clean: ## the environment and local state; asks the own Postgres to stop first
	-$(BIN)/perfcopilot-goals database-stop --delete
	rm -rf $(VENV) .venv-bench .perfcopilot
