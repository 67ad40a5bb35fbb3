"""The `name=value; name=value` of DKIM and DMARC records (RFC 6376 §3.2)."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def tags(record: str) -> tuple[dict[str, str], str]:
    """Return the tags of *record* in their order, and what is wrong with its syntax ("" when nothing is).

    Of a tag that stands twice the first holds.
    """
    found: dict[str, str] = {}
    wrong = ""
    for part in record.split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        if not equals or not _NAME.fullmatch(name):
            wrong = wrong or f"`{part.strip()[:40]}` is no name=value"
        elif name.lower() in found:
            wrong = wrong or f"`{name}` stands twice"
        else:
            found[name.lower()] = value
    return found, wrong
