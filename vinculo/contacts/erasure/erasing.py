"""Erasing a person: what names or describes them goes; what counts stays; the keyed hash stays suppressed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.contacts.belongings import BELONGINGS, EVENT_ID
from vinculo.contacts.erasure.naming import Naming
from vinculo.contacts.past import call_off, selves
from vinculo.contacts.turn import take_turn
from vinculo.db.bulk import chunks
from vinculo.db.tables import address, contact, inbound, merging, webhook


@dataclass(frozen=True, slots=True)
class Seen:
    """Up to which row of each table `forget_raw` has looked."""

    webhook: int = 0
    inbound: int = 0


def forget_raw(engine: sa.Engine, ids: Collection[int]) -> Seen:
    """Empty what came in that names the contacts *ids*, before they are erased: `erase` then looks at what is newer.

    Thirty days of requests take minutes to read. They are read some at a time, while others write, and what is found is
    emptied in a transaction of its own: who is stopped has emptied some, and the contacts are there to be erased again.
    """
    with engine.connect().execution_options(read_only=True) as db:
        whole = [each for number in ids for each in selves(db, number)]
        naming = Naming(db.scalars(sa.select(address.c.value).where(address.c.contact_id.in_(whole))).all())
    return Seen(*(_forget_table(engine, table, naming) for table in (webhook, inbound)))


def erase(db: sa.Connection, contact_id: int, now: datetime, seen: Seen = Seen()) -> None:
    """Forget the person *contact_id*, and all that became part of it. Call `scrub` after the transaction.

    The contact's row stays as a tombstone without a word in it, so that deliveries, interactions and purchases still
    add up; their addresses, texts, links and raw forms go. Open deliveries are cancelled. The addresses' keyed hashes
    go on the suppression list: an import cannot bring the person back unnoticed. *seen*: where `forget_raw` was.
    """
    from vinculo import ledger  # see `merging.joining`

    ids = selves(db, contact_id)  # before the aliases go, which name those that became part of it
    _forget_newer(db, ids, Naming(_suppressed(db, ids, now)), seen)
    ledger.plan_without(db, *ids)  # who plans meanwhile would leave a row with the address
    take_turn(db)
    # So would whoever amends the contact: it has ended now, and brought what it knew of the person, or waits.
    db.execute(
        sa.select(contact.c.id).where(contact.c.id.in_(ids)).order_by(contact.c.id).with_for_update(key_share=True)
    )
    _suppressed(db, ids, now)
    call_off(db, contact_id, "erased", now)
    for each in BELONGINGS:
        if each.blank:
            db.execute(sa.update(each.table).where(each.of(*ids)).values(each.blank(now)))
        else:
            db.execute(sa.delete(each.table).where(each.of(*ids)))
    # A merge that was undone: the one it was taken out of still says why.
    db.execute(sa.update(merging).where(merging.c.joined_id.in_(ids)).values(reason="", undone_reason="", before={}))
    db.execute(sa.update(contact).where(contact.c.id == contact_id).values(_tombstone(contact_id, now)))


def _suppressed(db: sa.Connection, ids: Sequence[int], now: datetime) -> list[str]:
    """Suppress the addresses of the contacts *ids*, and return them."""
    a = address.c
    held = db.execute(sa.select(a.channel, a.hash, a.value).where(a.contact_id.in_(ids))).all()
    for channel, hashed, _ in held:
        consent.suppress(db, channel, hashed, consent.ERASURE, "erase", now)
    return [value for *_, value in held]


# ── what came in, as it came ─────────────────────────────────────────────────────────────────────────────────────
#: So many rows are read at a time.
_STEP = 1_000
#: Ids are given before they are committed: so far back a row may have come in since it was looked for.
_BACK = 1_000


def _forget_newer(db: sa.Connection, ids: Sequence[int], naming: Naming, seen: Seen) -> None:
    """Empty what came in about the person: by whom it is known to be about, and by an address that stands in it."""
    named = sa.select(inbound.c.webhook_id).where(inbound.c.contact_id.in_(ids), inbound.c.webhook_id.is_not(None))
    db.execute(sa.update(webhook).where(webhook.c.id.in_(named)).values(_emptied(webhook)))
    for table, after in ((webhook, seen.webhook), (inbound, seen.inbound)):
        _empty(db, table, _holding(db, naming, _raw(table).where(table.c.id > after - _BACK)))


def _forget_table(engine: sa.Engine, table: sa.Table, naming: Naming) -> int:
    """Empty what names the person in *table*; return the id of its last row."""
    with engine.connect().execution_options(read_only=True) as db:
        first, last = db.execute(sa.select(sa.func.min(table.c.id), sa.func.max(table.c.id))).one()
    for start in range(first or 0, (last or 0) + 1, _STEP):
        with engine.connect().execution_options(read_only=True) as db:
            found = _holding(db, naming, _raw(table).where(table.c.id.between(start, start + _STEP - 1)))
        if found:
            with engine.begin() as db:
                _empty(db, table, found)
    return last or 0


def _raw(table: sa.Table) -> sa.Select[tuple[int, bytes]]:
    """The rows of *table* that may name anybody."""
    t = table.c
    return sa.select(t.id, t.body) if table is webhook else sa.select(t.id, t.raw).where(t.contact_id.is_(None))


def _emptied(table: sa.Table) -> dict[str, Any]:
    return {"body": b"", "headers": {}} if table is webhook else {"raw": b"", "event_id": EVENT_ID}


def _empty(db: sa.Connection, table: sa.Table, ids: Sequence[int]) -> None:
    for chunk in chunks(ids):
        db.execute(sa.update(table).where(table.c.id.in_(chunk)).values(_emptied(table)))


def _holding(db: sa.Connection, naming: Naming, rows: sa.Select[tuple[int, bytes]]) -> list[int]:
    """The ids of those *rows* that name the person; a few are read at a time, for each may be a whole mail."""
    with db.execute(rows.execution_options(yield_per=50)) as found:
        return [number for number, raw in found if naming.in_(raw or b"")]


def _tombstone(contact_id: int, now: datetime) -> dict[str, Any]:
    words = {c.name: "" for c in contact.c if isinstance(c.type, sa.Text) and c.name not in {"key", "kind"}}
    gone: dict[str, Any] = {"birthdate": None, "traits": {}, "first_seen": now, "updated_at": now, "erased_at": now}
    return words | gone | {"key": f"erased-{contact_id}"}
