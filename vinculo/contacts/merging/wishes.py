"""What two contacts who become one wish for together, and what each wishes for when they come apart again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import micros, preference

_PAUSE = "pause_until"
#: The preferences of a contact by name, as JSON has them.
Wishes = dict[str, dict[str, Any]]


def join(db: sa.Connection, kept: int, joined: int) -> dict[str, Wishes]:
    """Give *kept* what it does not wish for and *joined* does, and the longer pause; return what it `had` and `has`."""
    had, theirs = _of(db, kept), _of(db, joined)
    taken = {name: {**row, "contact_id": kept} for name, row in theirs.items() if _prevails(row, had.get(name))}
    has = had | taken
    _write(db, kept, has)
    return {"had": had, "has": has}


def part(db: sa.Connection, before: Mapping[str, Wishes], kept: int, joined: int) -> None:
    """Undo `join`. What was chosen since stays with *kept*; a pause holds for both: nobody knows whose it was."""
    since = {name: row for name, row in _of(db, kept).items() if row != before["has"].get(name)}
    _write(db, kept, before["had"] | since)
    pause = since.get(_PAUSE)
    if pause and _prevails(pause, _of(db, joined).get(_PAUSE)):
        _write(db, joined, _of(db, joined) | {_PAUSE: {**pause, "contact_id": joined}})


def _prevails(one: Mapping[str, Any], other: Mapping[str, Any] | None) -> bool:
    """Whether *one* takes the place of *other*: of nothing, of what was taken back, of a shorter pause."""
    if other is None or one["name"] != _PAUSE:
        return not (other and other["value"])
    return bool(one["value"] > other["value"])


def _of(db: sa.Connection, contact_id: int) -> Wishes:
    ask = sa.select(preference).where(preference.c.contact_id == contact_id)
    return {row["name"]: {**row, "at": micros(row["at"])} for row in db.execute(ask).mappings()}


def _write(db: sa.Connection, contact_id: int, rows: Wishes) -> None:
    db.execute(sa.delete(preference).where(preference.c.contact_id == contact_id))
    if rows:
        db.execute(sa.insert(preference), list(rows.values()))
