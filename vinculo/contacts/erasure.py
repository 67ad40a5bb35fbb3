"""Erasing a person: what names or describes them goes; what counts stays; the keyed hash stays suppressed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.contacts.belongings import BELONGINGS, EVENT_ID
from vinculo.contacts.past import call_off, selves
from vinculo.db.tables import address, contact, inbound, merging, webhook


def erase(db: sa.Connection, contact_id: int, now: datetime) -> None:
    """Forget the person *contact_id*, and all that became part of it. Call `scrub` after the transaction.

    The contact's row stays as a tombstone without a word in it, so that deliveries, interactions and purchases still
    add up; their addresses, texts, links and raw forms go. Open deliveries are cancelled. The addresses' keyed hashes
    go on the suppression list: an import cannot bring the person back unnoticed.
    """
    ids = selves(db, contact_id)  # before the aliases go, which name those that became part of it
    held = db.execute(
        sa.select(address.c.channel, address.c.hash, address.c.value).where(address.c.contact_id.in_(ids))
    )
    addresses = [tuple(row) for row in held]
    for channel, hashed, _ in addresses:
        consent.suppress(db, channel, hashed, "erasure", "erase", now)
    call_off(db, contact_id, "erased", now)
    _forget_raw(db, ids, [value for *_, value in addresses])
    for each in BELONGINGS:
        if each.blank:
            db.execute(sa.update(each.table).where(each.of(*ids)).values(each.blank(now)))
        else:
            db.execute(sa.delete(each.table).where(each.of(*ids)))
    # A merge that was undone: the one it was taken out of still says why.
    db.execute(sa.update(merging).where(merging.c.joined_id.in_(ids)).values(reason="", undone_reason="", before={}))
    db.execute(sa.update(contact).where(contact.c.id == contact_id).values(_tombstone(contact_id, now)))


def _forget_raw(db: sa.Connection, ids: Sequence[int], addresses: Sequence[str]) -> None:
    """Empty what came in about the person: by whom it is known to be about, and by an address that stands in it."""
    named = sa.select(inbound.c.webhook_id).where(inbound.c.contact_id.in_(ids), inbound.c.webhook_id.is_not(None))
    db.execute(sa.update(webhook).where(webhook.c.id.in_(named)).values(body=b"", headers={}))
    for value in addresses:
        db.execute(sa.update(webhook).where(_holds(db, webhook.c.body, value)).values(body=b"", headers={}))
        nobody = inbound.c.contact_id.is_(None) & _holds(db, inbound.c.raw, value)
        db.execute(sa.update(inbound).where(nobody).values(raw=b"", event_id=EVENT_ID))


def _holds(db: sa.Connection, column: sa.Column[bytes], value: str) -> sa.ColumnElement[bool]:
    found = sa.func.instr(column, value.encode()) if db.dialect.name == "sqlite" else None
    return (sa.func.position(sa.literal(value.encode()).op("IN")(column)) if found is None else found) > 0


def _tombstone(contact_id: int, now: datetime) -> dict[str, Any]:
    words = {c.name: "" for c in contact.c if isinstance(c.type, sa.Text) and c.name not in {"key", "kind"}}
    gone: dict[str, Any] = {"birthdate": None, "traits": {}, "first_seen": now, "updated_at": now, "erased_at": now}
    return words | gone | {"key": f"erased-{contact_id}"}
