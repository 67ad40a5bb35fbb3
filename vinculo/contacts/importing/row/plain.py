"""Columns of which every value is plain, as nearly all are: read in one look, a tenth of what a look at each takes.

Each returns what `reader` or `mail` would make of the values one by one; None where one of them needs that.
"""

from __future__ import annotations

from collections.abc import Sequence

from vinculo.contacts.importing.row.reader import GONE, LONGEST_KEY, name_parts


def named(cells: Sequence[str]) -> list[str] | None:
    """What some system calls each contact."""
    text = "".join(cells)
    plain = text.isprintable() and "#" not in text and len(max(cells, key=len, default="")) <= LONGEST_KEY
    return list(cells) if plain else None


def keyed(cells: Sequence[str]) -> list[str] | None:
    """The contacts' own keys."""
    return None if any(f"{word}-" in "".join(cells) for word in GONE) else named(cells)


def names(cells: Sequence[str]) -> list[tuple[str, str]]:
    """First word and rest of each full name."""
    text = "\n".join(cells)
    if "  " in text or not text.replace("\n", "").isprintable():
        return [name_parts(name) for name in cells]
    parts = [name.partition(" ") for name in cells]
    return [(first, rest) for first, _, rest in parts]
