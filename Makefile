# The project's commands. `make setup` alone makes .venv; everything else calls it first.
PY ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -q
export UV_PYTHON_DOWNLOADS = never
export DO_NOT_TRACK = 1
.DEFAULT_GOAL := help
.PHONY: help setup demo test again torture evidence bench check fix lock clean

help:            ## list the commands
	@grep -E '^[a-z]+: .*##|^[a-z]+:  +##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.stamp ## make .venv from the hash-locked requirements

.venv/.stamp: requirements/dev.lock requirements/uv.lock pyproject.toml
	@PY="$(PY)" bash requirements/setup.sh

demo: setup      ## lay the demo company, start everything, send, listen, show the links (ONCE=1: end by itself)
	@$(BIN)/vinculo demo $(if $(ONCE),--once)

test: setup      ## run the tests
	@$(PYTEST) -n 2 -m "not prefect and not torture" tests; first=$$?; \
	$(PYTEST) -n 2 --dist loadfile -m "prefect and not torture" tests; second=$$?; exit $$((first | second))

again: setup     ## run once more what failed last, if it was little: what passes now is unstable, and must be mended
	@$(BIN)/python tests/again.py
	$(PYTEST) --last-failed --last-failed-no-failures none tests

torture: setup   ## kill, starve and confuse the sending engine by the thousand (SEEDS=, KILLS=: how many; FIRST=: from which seed; SEED=: that one alone)
	@bash requirements/postfix.sh
	@export TORTURE=1; $(PYTEST) -n 2 -m "not prefect" tests/torture; first=$$?; \
	$(PYTEST) -m prefect tests/torture; second=$$?; exit $$((first | second))

bench: setup     ## measure speed and memory against the goals (ONLY=path,ledger: some of them; STRICT=1: fail below a gate)
	@bash requirements/postfix.sh
	@bash requirements/nginx.sh
	@$(BIN)/python -m bench

evidence: setup  ## our rules on mails, texts and papers that nobody here wrote, beside the best existing library
	@$(BIN)/python -m bench.evidence

check: setup     ## style, types, layers, sizes, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/house tests/docs

fix: setup       ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup      ## resolve the requirements anew
	@bash requirements/lock.sh

clean:           ## remove what is made
	rm -rf .venv dist build var demo-data
