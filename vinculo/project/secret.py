"""The key that signs tokens and links: made once, kept out of vinculo.toml, readable by its owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from vinculo.errors import NotReady
from vinculo.project.settings import SECRET_FILE, Settings


def make_secret(root: Path) -> Path | None:
    """Write a new key to `var/secret.key` in *root* (mode 0600); return the file, or None when there is one."""
    path = root / SECRET_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    return path


def ensure_secret(root: Path, settings: Settings) -> Path | None:
    """Make a key unless one is configured; return the new file. An empty key file is an error, never replaced."""
    try:
        _ = settings.secret_key
    except NotReady:
        return make_secret(root)
    return None
