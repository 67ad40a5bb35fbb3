"""What commands remember in the database: a text under a name."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db.insert import insert
from vinculo.db.tables.note import note


def noted(db: sa.Connection, name: str, *, hold: bool = False) -> str | None:
    """Return what is noted under *name*. *hold*: nobody notes anything else there until *db* is committed."""
    query = sa.select(note.c.value).where(note.c.name == name)
    text: str | None = db.scalar(query.with_for_update(read=True) if hold else query)
    return text


def keep_note(db: sa.Connection, name: str, text: str) -> None:
    """Note *text* under *name*, in place of what was."""
    statement = insert(db, note).values(name=name, value=text)
    db.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value}))
