#!/bin/sh
# Vinculo reads its secrets from the files that VINCULO__SECTION__KEY_FILE names. Prefect reads none from files: do it
# for the three that hold a password.
set -eu
for name in PREFECT_API_AUTH_STRING PREFECT_SERVER_API_AUTH_STRING PREFECT_SERVER_DATABASE_CONNECTION_URL; do
  file="$(printenv "${name}_FILE" || true)"
  if [ -n "$file" ]; then
    value="$(cat "$file")"
    export "$name=$value"
    unset "${name}_FILE"
  fi
done
exec "$@"
