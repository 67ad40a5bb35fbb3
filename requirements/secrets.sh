#!/bin/sh
# Make the secrets that compose.yaml names, in secrets/; one that is there stays. Keep a copy of secret_key elsewhere:
# without it links in mail already sent stop working.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets
password() { od -An -tx1 -N24 /dev/urandom | tr -d ' \n'; }
keep() { [ -s "secrets/$1" ] || printf '%s\n' "$2" > "secrets/$1"; }
keep postgres_password "$(password)"
keep prefect_database_password "$(password)"
keep secret_key "$(password)"
keep web_password "$(password)"
keep prefect_auth "admin:$(password)"
keep database_url "postgresql://vinculo:$(cat secrets/postgres_password)@postgres/vinculo"
keep prefect_database_url "postgresql+asyncpg://prefect:$(cat secrets/prefect_database_password)@postgres/prefect"
keep smtp_url "smtp+starttls://USER:PASSWORD@HOST:587"
# The containers' user must read the files, and you must write them; the folder stays closed to all others.
chmod 644 secrets/*
grep -q HOST secrets/smtp_url && echo "Write your mail server into secrets/smtp_url."
echo "The console's password is in secrets/web_password, Prefect's user:password in secrets/prefect_auth."
