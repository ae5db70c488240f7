# `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MODELS := $(VENV)/.models
EARS := $(VENV)/.ears
PEERS := var/bench/venv
CODE := windmill producers workers postprocessors gateway dev farm deploy bench tests

# Without bytecode every process of the tests and the demo would compile the whole program anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo images-folder demo-audio demo-video models smoke test test-slow chaos check format bench image up down psql lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## create the virtual environment with the locked dependencies

$(READY): requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Windmill needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "this Python cannot create virtual environments; on Debian: apt install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@echo "installing the locked libraries into $(VENV): a minute, or ten on a slow machine"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(if $(IMAGES),images-folder) $(READY) $(if $(IMAGES),$(MODELS)) ## run the whole fleet here on 200 drawn images; IMAGES=DIR: on yours, with real models
	@$(BIN)/python -m dev.demo $(if $(IMAGES),--folder "$(IMAGES)") $(if $(UNSTATED),--accept-unstated-licences) $(if $(WITHOUT),--without "$(WITHOUT)")

# Before anything is installed for it, which takes minutes.
images-folder:
	@$(PYTHON) -c 'import os, sys; os.path.isdir(os.path.expanduser(sys.argv[1])) or \
		sys.exit("IMAGES=" + sys.argv[1] + " is not a folder; give one of pictures: make demo IMAGES=~/Pictures")' "$(IMAGES)"

models: $(MODELS) ## install what real models need in the farm (python -m dev.farm --real)

$(MODELS): requirements-models.lock | $(READY)
	@echo "installing the libraries of real models into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

demo-video: $(READY) ## draw a clip here, have it annotated and restyled, and see what each step takes
	@$(BIN)/python -m dev.demo_video

demo-audio: $(READY) $(EARS) ## a talk of three voices, from chunks to who said what; downloads 110 MB of voices once
	@$(BIN)/python -m dev.demo_audio

# resemblyzer declares torch, and only its weights are used.
$(EARS): requirements-audio.lock dev/voices/resemblyzer.lock | $(READY)
	@echo "installing the libraries that hear into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r dev/voices/resemblyzer.lock
	@touch $@

test: $(READY) ## run all tests except the slow ones, on private servers under var/test (BROKER=4: on RabbitMQ 4)
	$(BIN)/python -m pytest -n 4 --dist worksteal

test-slow: $(READY) $(MODELS) $(EARS) ## run the slow tests, about twenty minutes; each states why it is slow
	$(BIN)/python -m pytest -m slow -n 2 --dist worksteal

chaos: $(READY) ## run the long fault tests, about half an hour: kills, restarts, outages; prints counts
	$(BIN)/python -m pytest -m chaos tests/chaos tests/integration/test_jobs_at_once.py

check: $(READY) ## run the linter, type checker, import rules, licence check and unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/python -m dev.third_party --check
	$(BIN)/python -m pytest -q -n auto --dist worksteal tests/unit

format: $(READY) ## format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(READY) $(PEERS)/.ready ## measure what an image and a step of a job cost a worker, against those of libraries
	@$(BIN)/python bench/worker.py
	@$(BIN)/python bench/jobs.py

$(PEERS)/.ready: requirements-bench.lock | $(READY)
	$(BIN)/python -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

image: $(READY) ## build the container image; without Docker it needs root, buildah and mmdebstrap
	@$(BIN)/python -m dev.image

smoke: $(READY) ## try a whole fleet with its gateway, started for it; or the one at URL=, with KEY=
	@$(BIN)/python -m dev.smoke $(if $(URL),--url "$(URL)") $(if $(KEY),--key "$(KEY)")

up: $(READY) ## start a private PostgreSQL and RabbitMQ (BROKER=4: RabbitMQ 4) under var/local; create tables and queues; start the gateway
	@$(BIN)/python -m dev.servers up
	@$(BIN)/python -m windmill migrate
	@$(BIN)/python -m windmill declare
	@$(BIN)/python -m dev.gateway up

down: $(READY) ## stop what `make up` started; the data stays
	@$(BIN)/python -m dev.gateway down
	@$(BIN)/python -m dev.servers down

psql: $(READY) ## open a psql prompt on the database
	@$(BIN)/python -m dev.servers psql

lock: $(READY) ## upgrade the locked dependencies
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 --upgrade --extra export --extra farm --extra gateway --extra local --extra stores --extra video --extra dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 -c requirements-dev.lock pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 -c requirements-dev.lock --extra farm pyproject.toml -o requirements-farm.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 -c requirements-dev.lock --extra stores pyproject.toml -o requirements-stores.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 -c requirements-dev.lock --extra gateway pyproject.toml -o requirements-gateway.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 -c requirements-dev.lock --extra bench pyproject.toml -o requirements-bench.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 -c requirements-dev.lock --extra models pyproject.toml -o requirements-models.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 -c requirements-dev.lock --extra audio pyproject.toml -o requirements-audio.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 --upgrade dev/servers/swift.in -o dev/servers/swift.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--python-version 3.11 --upgrade dev/servers/image_stores.in -o dev/servers/image_stores.lock
