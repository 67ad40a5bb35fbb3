"""Prefect's password. Prefect reads none from files, and only a container's first process went through the entrypoint
that does so for it: whoever enters one (`docker compose exec`) has the file's name alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vinculo.errors import NotReady

VARIABLE = "PREFECT_API_AUTH_STRING"


def password(environ: Mapping[str, str]) -> str:
    """Return `user:password` for Prefect's server, as Prefect's own client would have it; empty where it has none."""
    if (said := environ.get(VARIABLE)) is not None:
        return said
    if not (file := environ.get(f"{VARIABLE}_FILE")):
        return ""
    try:
        return Path(file).read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError):
        raise NotReady(
            f"The file {file} with Prefect's password cannot be read", f"Mend {VARIABLE}_FILE, or the file's rights."
        ) from None
