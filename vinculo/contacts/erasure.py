"""Erasing a person: what names or describes them goes; what counts stays; the keyed hash stays suppressed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.contacts.past import call_off, selves
from vinculo.db.tables import (
    address,
    alias,
    contact,
    conversation,
    delivery,
    inbound,
    interaction,
    journey,
    permission,
    point,
    preference,
    score,
    tag,
    turn,
)
from vinculo.db.tables import consent as consents

#: Rows that go. `permission` comes before the consents it names.
_GONE = (permission, consents, address, alias, tag, preference, score, point, journey, turn)


def erase(db: sa.Connection, contact_id: int, now: datetime) -> None:
    """Forget the person *contact_id*. Call `scrub` after the transaction.

    The contact's row stays as a tombstone without a word in it, so that deliveries, interactions and purchases still
    add up; their addresses, texts, links and raw forms go. Open deliveries are cancelled. The addresses' keyed hashes
    go on the suppression list: an import cannot bring the person back unnoticed.
    """
    for channel, hashed in db.execute(
        sa.select(address.c.channel, address.c.hash).where(address.c.contact_id == contact_id)
    ).all():
        consent.suppress(db, channel, hashed, "erasure", "erase", now)
    call_off(db, contact_id, "erased", now)
    for each in selves(db, contact_id):  # before the aliases go, which name those that became part of it
        _blank(db, delivery, each, {"address": "", "provider_id": "", "response": ""})
    _blank(db, interaction, contact_id, {"summary": "", "data": {}, "event_id": ""})
    _blank(
        db, inbound, contact_id, {"raw": b"", "event_id": sa.literal("erased-").concat(sa.cast(inbound.c.id, sa.Text))}
    )
    ended = sa.func.coalesce(conversation.c.closed_at, sa.literal(now, conversation.c.closed_at.type))
    _blank(db, conversation, contact_id, {"subject": "", "state": "closed", "closed_at": ended})
    for table in _GONE:
        db.execute(sa.delete(table).where(table.c.contact_id == contact_id))
    db.execute(sa.update(contact).where(contact.c.id == contact_id).values(_tombstone(contact_id, now)))


def _tombstone(contact_id: int, now: datetime) -> dict[str, Any]:
    words = {c.name: "" for c in contact.c if isinstance(c.type, sa.Text) and c.name not in {"key", "kind"}}
    gone: dict[str, Any] = {"birthdate": None, "traits": {}, "first_seen": now, "updated_at": now, "erased_at": now}
    return words | gone | {"key": f"erased-{contact_id}"}


def _blank(db: sa.Connection, table: sa.Table, contact_id: int, values: dict[str, Any]) -> None:
    db.execute(sa.update(table).where(table.c.contact_id == contact_id).values(values))


def scrub(engine: sa.Engine) -> None:
    """Make the database's files forget what was erased: SQLite keeps deleted bytes in free pages and in its journal.

    On PostgreSQL the space of the erased rows is given back for new ones; its backups and journal live as long as
    their keeper has decided. Waits for nobody: readers at work may keep the journal a little longer.
    """
    if engine.dialect.name == "sqlite":
        raw = engine.raw_connection()  # VACUUM wants no transaction, and our connections begin one
        try:
            for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                raw.cursor().execute(statement).fetchall()
        finally:
            raw.close()
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        names = (table.name for table in (contact, conversation, delivery, interaction, inbound, *_GONE))
        db.exec_driver_sql("VACUUM " + ", ".join(names))
