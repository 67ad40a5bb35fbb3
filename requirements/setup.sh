#!/usr/bin/env bash
# Make .venv from requirements/dev.lock: with uv if it is there, else with uv fetched into .venv, else with pip.
set -euo pipefail
cd "$(dirname "$0")/.."
PY="${PY:-python3}"
"$PY" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  echo "Vinculo needs Python 3.11 or newer; $PY is $("$PY" --version 2>&1 || echo absent). Try: make setup PY=python3.12" >&2
  exit 2
}
[ -x .venv/bin/python ] || { rm -rf .venv && "$PY" -m venv .venv; }
UV="$(command -v uv || true)"
if [ -z "$UV" ] && .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.lock; then
  UV=.venv/bin/uv
fi
if [ -z "$UV" ] || ! "$UV" pip install -q -p .venv/bin/python --no-deps --require-hashes -r requirements/dev.lock; then
  echo "Installing with pip: this takes about a minute." >&2
  .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.lock
fi
# Editable, without isolation: hatchling comes from the lock, so nothing unlocked is fetched.
.venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
touch .venv/.stamp
