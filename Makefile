# Two commands for a newcomer: `make demo` shows the product at work, `make test` proves it. Everything lives in .venv.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: demo test lint crash bench lock clean

demo: .venv/ready
	$(PY) -m bot demo

test: .venv/ready lint
	$(PY) -m pytest -n auto --maxprocesses 4

lint: .venv/ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check --quiet .
	.venv/bin/mypy

crash: .venv/ready  ## kills the real program under load, again and again: KILLS=1000 SEED=… REPLICAS=2
	$(PY) -m tests.crash.traffic $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(if $(REPLICAS),--replicas $(REPLICAS))

bench: .venv/ready  ## how fast it is, as ratios within one run, in ten minutes: QUICK=1 for three, FULL=1 for memory after a million messages
	$(PY) -m tests.bench $(if $(QUICK),--quick) $(if $(FULL),--full)

.venv/ready: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	@echo "Installing what the bot stands on into .venv, once; this takes a minute or two."
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

lock:  ## pins every dependency again; needs uv
	uv pip compile --universal --generate-hashes --extra dev -p 3.11 --no-header pyproject.toml -o requirements.lock
	uv pip compile --universal --generate-hashes -c requirements.lock -p 3.11 --no-header pyproject.toml -o deploy/requirements.lock

clean:
	rm -rf .venv
