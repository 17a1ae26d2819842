# What a newcomer types. Everything is installed into .venv, and nothing outside this folder is changed.
.PHONY: demo up chat status reset raise test check bench lock clean moved

AGENT ?= dba-agent
VENV := .venv
PYTHON := $(VENV)/bin/python
SEED_FLAG := $(if $(SEED),--seed $(SEED))
# A folder that was moved is set up again: the environment names the place that it was made for.
ifneq ($(shell cat $(VENV)/local.installed 2>/dev/null),$(CURDIR))
MOVED := moved
endif

demo: $(VENV)/local.installed
	@$(PYTHON) -m runner demo $(SEED_FLAG)

up: $(VENV)/local.installed
	@$(PYTHON) -m runner up $(SEED_FLAG)

chat: $(VENV)/local.installed
	@$(PYTHON) -m runner chat --agent $(AGENT)

status: $(VENV)/local.installed
	@$(PYTHON) -m runner status

reset: $(VENV)/local.installed
	@$(PYTHON) -m runner reset $(or $(TEAM),$(error Name the team: make reset TEAM=dba))

raise: $(VENV)/local.installed
	@$(PYTHON) -m runner raise $(or $(BUDGET),$(error Name the budget and its limit: make raise BUDGET=ID LIMIT=8000)) \
		$(or $(LIMIT),$(error Say the limit: make raise BUDGET=ID LIMIT=8000)) --windows $(or $(WINDOWS),1)

test: $(VENV)/dev.installed
	$(PYTHON) -m pytest -n auto --dist loadfile

check: $(VENV)/dev.installed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

# Ratios against a floor in the same run; on a machine that does nothing else. Needs wrk.
bench: $(VENV)/dev.installed
	$(PYTHON) -m benchmarks
	$(PYTHON) -m benchmarks.mock_llm
	$(PYTHON) -m benchmarks.agents

# Versions and hashes, no addresses: the lock serves whichever index a machine uses.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra local --extra postgres --extra kubernetes --extra dev pyproject.toml -o locks/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--extra local --constraint locks/dev.txt pyproject.toml -o locks/local.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		locks/a2a-0.3.in -o locks/a2a-0.3.txt
	cd locks/a2a-js && npm install --package-lock-only --no-audit --no-fund

clean:
	rm -rf $(VENV) .state .mypy_cache .ruff_cache .hypothesis

$(VENV)/dev.installed: locks/a2a-0.3.txt locks/a2a-js/package.json locks/a2a-js/package-lock.json scripts/clients

$(VENV)/%.installed: locks/%.txt pyproject.toml scripts/setup $(MOVED)
	@scripts/setup $(VENV) $*
