# `make` lists the targets. Everything is installed into .venv, nothing outside this folder is changed.

.DEFAULT_GOAL := help
SHELL := /bin/sh

BIN := .venv/bin
TEST_STAMP := .venv/.ready-test
LINT_STAMP := .venv/.ready-lint
ENGINES_STAMP := .venv/.ready-engines
BENCH_STAMP := .venv/.ready-bench
DOCS_STAMP := .venv/.ready-docs
COMPILED_STAMP := .venv/.compiled
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# The first Python that is new enough and can make a virtual environment; `make PYTHON=...` names another.
CANDIDATES := python3.13 python3.12 python3.11 python3 python
SUITABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

# A virtual environment that was moved, or whose Python is gone, is made anew: nothing in it would start.
INTACT := $(shell $(BIN)/python -c '' 2>/dev/null && test "`cat $(TEST_STAMP) 2>/dev/null`" = "`pwd -P`" && echo yes)
ifneq ($(INTACT),yes)
ANEW := anew
endif

.PHONY: help venv demo example-fastapi example-flask example-django test test-slow test-all test-engines engines test-regress lint golden bench docs site man wheel release clean anew

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

venv: $(TEST_STAMP) ## install the tool and its tests into .venv

demo: $(TEST_STAMP) ## show the log on a sample company, with a PostgreSQL server of its own
	@$(BIN)/auditctl demo

example-fastapi: $(TEST_STAMP) ## serve a shop on FastAPI and SQLAlchemy, and its log; PORT=, PAGE_PORT= choose others
	@$(BIN)/python -m examples fastapi $(EXAMPLE_PORTS)

example-flask: $(TEST_STAMP) ## serve a shop on Flask and psycopg, and its log
	@$(BIN)/python -m examples flask $(EXAMPLE_PORTS)

example-django: $(TEST_STAMP) ## serve a shop on Django, and its log
	@$(BIN)/python -m examples django $(EXAMPLE_PORTS)

EXAMPLE_PORTS = $(if $(PORT),--port $(PORT)) $(if $(PAGE_PORT),--page-port $(PAGE_PORT))

# The tests start the command some hundred times: Python would compile all of it each time where it may not keep what it compiled.
test test-slow test-all test-engines: export PYTHONDONTWRITEBYTECODE :=

test: $(COMPILED_STAMP) ## run the tests; ARGS="-k name" chooses some
	@$(BIN)/pytest -m "not slow" $(ARGS)

test-slow: $(TEST_STAMP) ## run what test leaves out: slow tests, further cases, and those that need a browser or other servers
	@$(BIN)/pytest -m "slow and not spark" $(ARGS)

test-all: $(TEST_STAMP) ## run the tests of the database on PostgreSQL 14 to 18; VERSIONS="14 18" chooses some
	@VERSIONS="$(VERSIONS)" $(BIN)/python -m tests.every_version $(ARGS)

# One worker: each would start a Spark of its own.
test-engines: engines ## run the tests of archives on Spark; the first run installs pyspark, and as root Java
	@$(BIN)/pytest -n 0 -m spark tests/archive $(ARGS)

engines: $(ENGINES_STAMP)
	@if java -version >/dev/null 2>&1; then exit 0; fi; \
	if [ "`id -u`" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing openjdk-17-jre-headless ..."; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends openjdk-17-jre-headless >/dev/null; \
	else \
	  echo "Spark needs Java 17 or later, which is not installed; only root can install it." >&2; \
	  echo "hint: Debian, Ubuntu: apt-get install openjdk-17-jre-headless" >&2; \
	  exit 1; \
	fi

test-regress: $(TEST_STAMP) ## compare PostgreSQL's regression suite with and without auditctl; VERSION=18 chooses another than 15
	@VERSION="$(VERSION)" SOURCE="$(SOURCE)" $(BIN)/python -m tests.regress $(ARGS)

lint: $(LINT_STAMP) ## check style, types, imports, SQL and the files for Docker
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/sqlfluff lint sql/bootstrap sql/tables sql/functions
	@$(BIN)/sqlfluff lint --config .sqlfluff-queries sql/queries
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docs/examples/docker/compose.yml

golden: $(TEST_STAMP) ## rewrite the generated SQL in tests/golden, to be reviewed
	@$(BIN)/pytest tests/capture/test_golden.py --update-golden

bench: $(BENCH_STAMP) ## measure what the log costs; ARGS="capture --quick" chooses
	@$(BIN)/python -m bench $(ARGS)

docs: $(TEST_STAMP) ## rewrite the generated parts of docs/, with the manual pages
	@$(BIN)/pytest tests/project/test_docs.py tests/project/test_reference.py tests/project/test_manual.py tests/integrations/test_wire.py --update-golden

site: $(DOCS_STAMP) ## build the documentation as a site, into site/; a broken link fails
	@$(BIN)/python -m tests.site

man: $(TEST_STAMP) ## rewrite the manual pages in docs/man from the help texts
	@$(BIN)/pytest -q tests/project/test_manual.py --update-golden

wheel: $(TEST_STAMP) ## build the wheel into dist/
	@$(PIP) wheel --no-deps -w dist .
	@ls dist/*.whl

release: ## freeze the tables of the first release in migrations/sql: from then on they change by revisions only
	@test ! -e migrations/sql/0001_tables.sql || { echo "migrations/sql/0001_tables.sql is there already: change tables by a new revision." >&2; exit 1; }
	@test -z "`git status --porcelain`" || { echo "The working tree has changes: commit them first." >&2; exit 1; }
	@mkdir -p migrations/sql
	@cat sql/tables/*.sql > migrations/sql/0001_tables.sql
	@echo "Wrote migrations/sql/0001_tables.sql. Commit it."

clean: ## remove .venv and everything that was built
	@rm -rf .venv dist build site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache demo-output screenshots .postgresql
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are written last, so that an interrupted installation starts over.
$(TEST_STAMP): pyproject.toml $(ANEW)
	@if [ "$(INTACT)" != yes ]; then \
	  set -- $(CANDIDATES); \
	  if [ -n '$(PYTHON)' ]; then set -- '$(PYTHON)'; fi; \
	  found=; \
	  for candidate; do \
	    if "$$candidate" -c '$(SUITABLE)' 2>/dev/null; then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "No Python 3.11 or later that can make a virtual environment was found; looked at: $$*." >&2; \
	    echo "hint: install it (Debian, Ubuntu: python3 and python3-venv) or name it: make PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	  fi; \
	  echo "Making .venv with `"$$found" --version` ..."; \
	  "$$found" -m venv --clear .venv; \
	fi
	@rm -f $@
	@echo "Installing auditctl and its tests into .venv ..."
	@$(PIP) install -e '.[test]'
	@pwd -P > $@

anew:

# Once: otherwise each worker of the first run compiles all tests by itself.
$(COMPILED_STAMP): $(TEST_STAMP)
	@for folders in 'tests/[a-g]*/' 'tests/[h-z]*/'; do \
	  $(BIN)/pytest --collect-only -qq -n 0 -p no:cacheprovider $$folders >/dev/null 2>&1 & \
	done; wait
	@touch $@

$(LINT_STAMP): $(TEST_STAMP)
	@echo "Installing the linters into .venv ..."
	@rm -f $@
	@$(PIP) install -e '.[test,lint]'
	@pwd -P > $@

$(ENGINES_STAMP): $(TEST_STAMP)
	@echo "Installing pyspark into .venv, 520 MB ..."
	@rm -f $@
	@$(PIP) install -e '.[test,spark]'
	@pwd -P > $@

$(BENCH_STAMP): $(TEST_STAMP)
	@echo "Installing what is measured against into .venv ..."
	@rm -f $@
	@$(PIP) install -e '.[test,bench]'
	@pwd -P > $@

$(DOCS_STAMP): $(TEST_STAMP)
	@echo "Installing what builds the site into .venv ..."
	@rm -f $@
	@$(PIP) install -e '.[test,docs]'
	@pwd -P > $@
