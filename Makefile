# `make` or `make help` lists what there is. Nothing needs to be installed before: see tools/bootstrap.sh.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?=
BIN := .venv/bin
SOURCES := $(wildcard libs/*/src services/*/src)
PYTEST_ARGS ?=

.PHONY: help setup packages demo up down status logs doctor test test-unit fuzz model crash mutants lint format types arch ci lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv: Python libraries with hashes checked, Holdfast's packages editable
	@PYTHON="$(PYTHON)" sh tools/bootstrap.sh

packages: setup ## install what the servers need and is missing: MariaDB, Java, Maven, Kafka's jars
	@$(BIN)/holdfast install

demo: setup ## start everything and buy one subscription, end to end; leaves the stack running
	@$(BIN)/holdfast demo

up: setup ## start the local stack (database, Kafka, Stripe double, five services)
	@$(BIN)/holdfast up

down: setup ## stop the local stack; its data stays (`.venv/bin/holdfast down --wipe` removes it)
	@$(BIN)/holdfast down

status: setup ## what runs, where, since when
	@$(BIN)/holdfast status

logs: setup ## the last lines of every log
	@$(BIN)/holdfast logs

doctor: setup ## what is missing, which ports are taken, what would be used
	@$(BIN)/holdfast doctor

test: packages ## the whole suite, on a real database and a real Kafka
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

test-unit: setup ## the tests that need no server
	@$(BIN)/python -m pytest tests/unit $(PYTEST_ARGS)

model: setup ## the write path's protocol, explored whole: 3 workers, 2 intents (about 6 minutes)
	@$(BIN)/python -m tests.model

crash: packages ## a worker dies at every await of the write path, then again in recovery, 20 seeds
	@HOLDFAST_CRASH_SEEDS=$${HOLDFAST_CRASH_SEEDS:-20} $(BIN)/python -m pytest tests/crash $(PYTEST_ARGS)

fuzz: packages ## ten thousand requests that the API's document allows or forbids; prints what came back
	@HOLDFAST_FUZZ_CASES=10000 $(BIN)/python -m pytest -s tests/integration/api_gateway/test_fuzzed_api.py

mutants: packages ## seed bugs into a scratch copy, one by one; a named test must see each
	@$(BIN)/python -m tests.mutants

lint: setup ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup ## ruff: repair what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: setup ## mypy --strict on all sources
	@$(BIN)/mypy $(SOURCES)

arch: setup ## import-linter: who may import whom
	@$(BIN)/lint-imports

ci: ## everything CI runs: lint, types, arch, all tests, the demo as a test
	@PYTHON="$(PYTHON)" bash tools/ci.sh

lock: setup ## pin every dependency again, with hashes
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh tools/lock.sh

clean: ## stop the stack and remove all that was made here: data, .venv, caches
	@if [ -x $(BIN)/holdfast ]; then $(BIN)/holdfast down --wipe; fi
	@rm -rf .venv .holdfast .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find libs services tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
