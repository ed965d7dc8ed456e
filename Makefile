# Hatchet in Python. `make` alone prints what there is.
#
# Everything is installed into .venv from lock files with hashes. Stamps make a repeat instant:
# a target's work is done again only when its lock file or pyproject.toml has changed.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON_MIN := 3.11
NODE_MIN := 20
UV_VERSION := 0.13.9

# The interpreter .venv is made with; set PYTHON=/path/to/python3 to choose another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)

VENV := .venv
BIN := $(VENV)/bin
PIP_FLAGS := --quiet --disable-pip-version-check --require-hashes --no-deps
RUN_STAMP := $(VENV)/.stamp-run
DEV_STAMP := $(VENV)/.stamp-dev
OFFICIAL_STAMP := .venv-official/.stamp
OFFICIAL_OLD_STAMP := .venv-official-old/.stamp
TYPESCRIPT := tests/wire/typescript
TYPESCRIPT_STAMP := $(if $(wildcard $(TYPESCRIPT)/package-lock.json),$(TYPESCRIPT)/node_modules/.stamp)
DASHBOARD_STAMP := $(if $(wildcard dashboard/package-lock.json),dashboard/node_modules/.stamp)

.PHONY: help
help: ## Print this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | \
		awk 'BEGIN {FS = ":.*## "} {printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: install
install: $(RUN_STAMP) ## Prepare .venv with the hatchet command, and nothing else

.PHONY: run
run: $(RUN_STAMP) ## Start server and example worker, run a task and a bulk of 1,000, serve until Ctrl-C
	@exec $(BIN)/hatchet demo $(ARGS)

# Folders from fast to slow, then any that are not named here; one process, so that the closing line
# counts every test.
TEST_ORDER := unit store engine sdk cli wire simulation chaos browser
TEST_FOLDERS = $(filter-out support __pycache__,$(notdir $(patsubst %/,%,$(wildcard tests/*/))))
TEST_PATHS = $(addprefix tests/,$(filter $(TEST_FOLDERS),$(TEST_ORDER)) $(filter-out $(TEST_ORDER),$(TEST_FOLDERS)))

.PHONY: test
test: $(DEV_STAMP) $(OFFICIAL_STAMP) $(OFFICIAL_OLD_STAMP) $(TYPESCRIPT_STAMP) ## Run the whole suite, fast tests first (ARGS="-k name" to choose)
	@$(BIN)/python -m pytest $(TEST_PATHS) $(ARGS)

.PHONY: check
check: $(DEV_STAMP) ## Check format, lint, types, import contracts and generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/gen_protocol.py --check
	$(BIN)/python scripts/dump_schema.py --check

.PHONY: format
format: $(DEV_STAMP) ## Format the code and repair what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(DEV_STAMP) $(OFFICIAL_STAMP) ## Measure speed, print a table and write JSON (ARGS="--help" for the choices)
	@$(BIN)/python -m benchmarks.run $(ARGS)

.PHONY: lock
lock: .venv-lock/.stamp ## Write the lock files again (UPGRADE=1 takes newer versions)
	@UV=.venv-lock/bin/uv scripts/lock.sh

.PHONY: dev
dev: $(DEV_STAMP) ## Prepare .venv with the tools for tests and checks too

.PHONY: clean
clean: ## Remove environments, caches and built files (never data)
	rm -rf $(VENV) .venv-official .venv-official-old .venv-peers .venv-lock build dist
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf $(TYPESCRIPT)/node_modules dashboard/node_modules
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# --- environments ---------------------------------------------------------------------------

.PHONY: python-check node-check
python-check:
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: Python $(PYTHON_MIN) or newer is needed and was not found." >&2; \
		echo "       Install it, or name one: make PYTHON=/path/to/python3 ..." >&2; exit 1; fi
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no program $(PYTHON)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is older than Python $(PYTHON_MIN)." >&2; \
		echo "       Name a newer one: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "error: $(PYTHON) lacks the venv module (on Debian: apt-get install python3-venv)." >&2; exit 1; }

node-check:
	@command -v node >/dev/null && command -v npm >/dev/null || { \
		echo "error: Node $(NODE_MIN) or newer with npm is needed and was not found." >&2; exit 1; }
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < $(NODE_MIN) ? 1 : 0)' || { \
		echo "error: Node $(NODE_MIN) or newer is needed; this one is $$(node --version)." >&2; exit 1; }

$(BIN)/python: | python-check
	@echo "· making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements.lock pyproject.toml | $(BIN)/python
	@echo "· installing from requirements.lock (about half a minute the first time)"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): requirements-dev.lock $(RUN_STAMP)
	@echo "· installing from requirements-dev.lock"
	@$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements-dev.lock
	@touch $@

# The official SDKs declare the same protobuf messages as ours, so each lives in its own environment.
$(OFFICIAL_STAMP): requirements-official.lock | python-check
	@echo "· installing the official SDK for wire tests"
	@[ -x .venv-official/bin/python ] || $(PYTHON) -m venv .venv-official
	@.venv-official/bin/python -m pip install $(PIP_FLAGS) -r requirements-official.lock
	@touch $@

$(OFFICIAL_OLD_STAMP): requirements-official-old.lock | python-check
	@echo "· installing the old official SDK for wire tests"
	@[ -x .venv-official-old/bin/python ] || $(PYTHON) -m venv .venv-official-old
	@.venv-official-old/bin/python -m pip install $(PIP_FLAGS) -r requirements-official-old.lock
	@touch $@

.venv-lock/.stamp: | python-check
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

%/node_modules/.stamp: %/package-lock.json | node-check
	@echo "· installing npm packages in $*"
	@cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@
