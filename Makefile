# The verbs that people and CI call. Each sets up what it needs, from hashed locks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test whole check bench fuzz widening crash stateful lock pin clean

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.sandbox  ## play the whole story on this machine, in a minute (KEEP=1 leaves the box up)
	@$(BIN)/daypass demo $(if $(KEEP),--keep)

test: $(VENV)/.dev  ## all tests, on the real servers
	@scripts/test-tools
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

whole: export DAYPASS_WHOLE := 1
whole: test  ## all tests, at every PostgreSQL, each command in an interpreter of its own (1 hour)

check: $(VENV)/.dev  ## lint, types, layers, workflows, documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/actionlint .github/workflows/*.yml
	$(BIN)/zizmor --offline --pedantic --quiet .github/workflows
	$(BIN)/daypass validate
	$(BIN)/daypass policy test --require-coverage

bench: $(VENV)/.dev  ## all measures, as ratios
	$(BIN)/python -m bench

fuzz: $(VENV)/.dev  ## 100,000 hostile inputs to the loader, in bounded memory (INPUTS=N)
	$(BIN)/python tests/fuzz/fuzz_loader.py --inputs $(or $(INPUTS),100000)

widening: $(VENV)/.dev  ## 100,000 made-up policies, guards and facts: nothing may give more (CASES=N)
	$(BIN)/python tests/fuzz/fuzz_policies.py --cases $(or $(CASES),100000)

crash: $(VENV)/.dev  ## kill apply before every change that it makes, and before each kind of look
	@scripts/test-tools
	DAYPASS_CRASH_EVERY=1 $(BIN)/python -m pytest -n 2 --dist worksteal --timeout 0 \
	  tests/e2e/test_crash_safety.py tests/e2e/test_break_glass_killed.py

stateful: $(VENV)/.dev  ## other stories each time, of whatever happens to grants (STORIES=N)
	@scripts/test-tools
	DAYPASS_STORIES=$(or $(STORIES),100) $(BIN)/python -m pytest -s tests/e2e/test_any_story.py

lock: $(VENV)/.dev  ## compile the locks anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --no-emit-find-links -o requirements/run.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra sandbox --group build \
	  --no-header --no-emit-index-url --no-emit-find-links -c requirements/run.txt -o requirements/sandbox.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra sandbox --group build --group dev \
	  --no-header --no-emit-index-url --no-emit-find-links -c requirements/sandbox.txt -o requirements/dev.txt pyproject.toml

pin: $(VENV)/.dev  ## build the wheel, and pin it for the workflows in .github/daypass.txt
	@$(BIN)/python scripts/pin_release.py

clean:  ## remove what make has made
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.sandbox: requirements/sandbox.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/sandbox.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.sandbox
