"""Erasing a person: what names or describes them goes; what counts stays; the keyed hash stays suppressed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import consent, ledger
from vinculo.contacts.belongings import BELONGINGS, EVENT_ID
from vinculo.contacts.naming import Naming
from vinculo.contacts.past import call_off, selves
from vinculo.contacts.store import chunks
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
    _forget_raw(db, ids, [value for *_, value in addresses])
    ledger.plan_alone(db)  # who plans meanwhile would leave a row with the address
    call_off(db, contact_id, "erased", now)
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
    w, i = webhook.c, inbound.c
    named = sa.select(i.webhook_id).where(i.contact_id.in_(ids), i.webhook_id.is_not(None))
    db.execute(sa.update(webhook).where(w.id.in_(named)).values(body=b"", headers={}))
    naming = Naming(addresses)
    for chunk in chunks(_holding(db, naming, sa.select(w.id, w.body))):
        db.execute(sa.update(webhook).where(w.id.in_(chunk)).values(body=b"", headers={}))
    for chunk in chunks(_holding(db, naming, sa.select(i.id, i.raw).where(i.contact_id.is_(None)))):
        db.execute(sa.update(inbound).where(i.id.in_(chunk)).values(raw=b"", event_id=EVENT_ID))


def _holding(db: sa.Connection, naming: Naming, rows: sa.Select[tuple[int, bytes]]) -> list[int]:
    """The ids of those *rows* that name the person; a few are read at a time, for each may be a whole mail."""
    return [number for number, raw in db.execute(rows.execution_options(yield_per=50)) if naming.in_(raw or b"")]


def _tombstone(contact_id: int, now: datetime) -> dict[str, Any]:
    words = {c.name: "" for c in contact.c if isinstance(c.type, sa.Text) and c.name not in {"key", "kind"}}
    gone: dict[str, Any] = {"birthdate": None, "traits": {}, "first_seen": now, "updated_at": now, "erased_at": now}
    return words | gone | {"key": f"erased-{contact_id}"}
