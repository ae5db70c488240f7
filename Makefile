# `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := var/bench/venv
CODE := windmill producers workers postprocessors dev farm deploy bench tests

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow chaos check format bench up down psql lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## make the virtual environment with the locked versions

$(READY): requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Windmill needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "this Python cannot make virtual environments; on Debian: apt install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(READY) ## run the whole fleet here on 200 drawn images, from queue to result
	@$(BIN)/python -m dev.demo

test: $(READY) ## every test but the slow ones; starts its own private servers under var/test
	$(BIN)/python -m pytest -n 3 --dist worksteal

test-slow: $(READY) ## the tests that take long, some five minutes; each says why
	$(BIN)/python -m pytest -m slow -n 2 --dist worksteal

chaos: $(READY) ## the long fault tests, some ten minutes: kills, restarts, services away; prints counts
	$(BIN)/python -m pytest -m chaos tests/chaos

check: $(READY) ## lint, types, import rules and unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n auto --dist worksteal tests/unit

format: $(READY) ## format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(READY) $(PEERS)/.ready ## measure what a job costs a worker, beside a plain one and those of four libraries
	@$(BIN)/python bench/worker.py

$(PEERS)/.ready: requirements-bench.lock | $(READY)
	$(BIN)/python -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

up: $(READY) ## start a private PostgreSQL and RabbitMQ under var/local, and create tables and queues
	@$(BIN)/python -m dev.servers up
	@$(BIN)/python -m windmill migrate
	@$(BIN)/python -m windmill declare

down: $(READY) ## stop what `make up` started; the data stays
	@$(BIN)/python -m dev.servers down

psql: $(READY) ## a psql prompt at the database
	@$(BIN)/python -m dev.servers psql

lock: $(READY) ## resolve the dependencies anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 --upgrade --extra farm --extra local --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 -c requirements-dev.lock pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 -c requirements-dev.lock --extra bench pyproject.toml -o requirements-bench.lock
