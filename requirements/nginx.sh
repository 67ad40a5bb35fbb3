#!/usr/bin/env bash
# Unpack nginx, which the web app is compared with, and wrk, which loads both, into .venv/nginx: nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .venv/nginx/usr/sbin/nginx ] && [ -x .venv/nginx/usr/bin/wrk ] && exit 0
mkdir -p .venv/nginx
cd .venv/nginx
if ! apt-get download -qq -o APT::Sandbox::User="$(id -un)" nginx wrk libluajit-5.1-2; then
  echo "nginx and wrk cannot be fetched here: make bench leaves tracking out" >&2
  exit 0
fi
for package in *.deb; do dpkg -x "$package" .; done
rm ./*.deb
