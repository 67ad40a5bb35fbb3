#!/usr/bin/env bash
# Resolve pyproject.toml into its three locks, and two for the tools. They hold hashes and no index address.
set -euo pipefail
cd "$(dirname "$0")/.."
UV="$(command -v uv || echo .venv/bin/uv)"
compile() { "$UV" pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url "$@"; }
compile pyproject.toml -o requirements/core.lock
compile pyproject.toml --extra all -o requirements/all.lock
compile pyproject.toml --extra all --group dev -o requirements/dev.lock
compile requirements/uv.in -o requirements/uv.lock
compile requirements/build.in -o requirements/build.lock
