#!/usr/bin/env bash
# Unpack Postfix's own load tools, smtp-sink and smtp-source, into .venv/postfix: nothing is installed, no service starts.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .venv/postfix/usr/sbin/smtp-sink ] && exit 0
mkdir -p .venv/postfix
(cd .venv/postfix && apt-get download -qq -o APT::Sandbox::User="$(id -un)" postfix && dpkg -x postfix_*.deb . && rm postfix_*.deb)
if LD_LIBRARY_PATH=.venv/postfix/usr/lib/postfix ldd .venv/postfix/usr/sbin/smtp-sink | grep -q "not found"; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libdb5.3 libicu72 libnsl2 libsasl2-2 libssl3 >/dev/null
fi
