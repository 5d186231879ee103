# The verbs of this project. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo up down status test chaos lint lock screenshots browser

help: ## list the verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## make the environment in .venv, pinned and hashed

$(STAMP): requirements.lock requirements-uv.lock pyproject.toml
	@deploy/check-machine $(PYTHON)
	@echo "making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@echo "installing the packages of requirements.lock, each checked against its hash"
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --require-hashes --compile-bytecode -r requirements.lock
	@VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## start everything, simulate a year of two households, build to gold
	@$(BIN)/outlay demo

up: install ## start the servers, or find them running
	@$(BIN)/outlay up

down: install ## stop every server
	@$(BIN)/outlay down

status: install ## what runs, and what each layer holds
	@$(BIN)/outlay status

test: install browser ## run every test
	@$(BIN)/python -m tests

chaos: install ## 300 random faults in one run, 1,000 over recorded seeds, a million fuzzed messages
	@$(BIN)/python -m tests.chaos.run --faults 300
	@$(BIN)/python -m tests.chaos.run --faults 1000 --recorded
	@$(BIN)/python -m tests.chaos.fuzz_run --messages 1000000

browser: # the app's tests drive Chromium
	@deploy/ensure-browser

lint: install ## check the code's style
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

lock: install ## pin what pyproject.toml asks for in requirements.lock, with hashes
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra dev pyproject.toml -o requirements.lock

screenshots: install ## take the pictures of the README from the running stack
	@$(BIN)/python docs/screenshots.py
