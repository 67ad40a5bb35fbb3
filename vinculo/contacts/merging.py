"""Joining two contacts that are one person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import consent, history
from vinculo.consent import Consent
from vinculo.contacts.past import call_off, had_by, selves
from vinculo.db.tables import (
    address,
    alias,
    contact,
    delivery,
    inbound,
    interaction,
    journey,
    permission,
    point,
    preference,
    score,
    tag,
)
from vinculo.db.tables import consent as consents
from vinculo.errors import UsageError
from vinculo.history import Interaction
from vinculo.model import Direction, EventKind

_FILLED = ("given_name", "family_name", "language", "country", "region", "city", "timezone", "birthday", "owner")
#: Rows of one contact that must differ in these columns.
_UNIQUE: tuple[tuple[sa.Table, tuple[str, ...]], ...] = (
    (tag, ("name",)),
    (address, ("channel", "value")),
    (preference, ("name",)),
    (permission, ("channel", "topic")),
    (point, ("reason", "reference")),
    (journey, ("name", "entered_at")),
    (delivery, ("campaign", "occurrence")),
)


def merge(db: sa.Connection, kept: int, joined: int, now: datetime) -> None:
    """Move everything of the contact *joined* to *kept*; its key and its id lead to *kept* from now on.

    Of two answers about consent the stricter holds. Where both have a fact, *kept*'s stays. A delivery of an
    occurrence that both were to get stays with *joined*'s empty row, cancelled if it had not gone out; if it had,
    *kept*'s is: the person has it. Raises `UsageError` for a contact merged with itself or erased.
    """
    rows = {row.id: row for row in db.execute(sa.select(contact).where(contact.c.id.in_([kept, joined]))).all()}
    if kept == joined:
        raise UsageError("A contact cannot be merged with itself", "Name two different contacts.")
    if any(row.erased_at for row in rows.values()):
        raise UsageError("An erased contact cannot be merged", "Name two contacts that are there.")
    contradicted = _contradicted(db, kept, joined)
    _addresses_last(db, kept, joined)
    call_off(db, kept, "merged", now, had_by(selves(db, joined)))
    for table, columns in _UNIQUE:
        _move(db, table, columns, kept, joined)
    for other in (consents, interaction, inbound, alias):
        db.execute(sa.update(other).where(other.c.contact_id == joined).values(contact_id=kept))
    # Newer than either answer, so that it stays the live one.
    noes = [Consent(kept, channel, topic, False, now, source="merge") for channel, topic in contradicted]
    consent.record_many(db, noes)
    _clear(db, joined, now)
    _fill(db, rows[kept], rows[joined], now)
    db.execute(sa.insert(alias), [{"key": key, "contact_id": kept} for key in (rows[joined].key, f"#{joined}")])
    note = f"{rows[joined].key} (#{joined})"
    history.record(db, [Interaction(kept, now, Direction.IN, EventKind.MERGED, summary=note, source="merge")])


_Answers = dict[tuple[str, str], bool]


def _contradicted(db: sa.Connection, kept: int, joined: int) -> list[tuple[str, str]]:
    """Return the (channel, topic) to which one of the two says yes and the other no."""
    mine, theirs = _answers(db, kept), _answers(db, joined)
    said = ((about, _answer(mine, about), _answer(theirs, about)) for about in sorted(mine.keys() | theirs.keys()))
    return [about for about, one, other in said if about[1] and {one, other} == {True, False}]


def _answers(db: sa.Connection, contact_id: int) -> _Answers:
    row = permission.c
    ask = sa.select(row.channel, row.topic, row.granted).where(row.contact_id == contact_id)
    return {(channel, topic): bool(granted) for channel, topic, granted in db.execute(ask)}


def _answer(answers: _Answers, about: tuple[str, str]) -> bool | None:
    return answers.get(about, answers.get((about[0], "")))


def _addresses_last(db: sa.Connection, kept: int, joined: int) -> None:
    after = sa.select(sa.func.coalesce(sa.func.max(address.c.position) + 1, 0)).where(address.c.contact_id == kept)
    places = address.c.position + (db.scalar(after) or 0)
    db.execute(sa.update(address).where(address.c.contact_id == joined).values(position=places))


def _move(db: sa.Connection, table: sa.Table, columns: tuple[str, ...], kept: int, joined: int) -> None:
    other = table.alias("other")
    same = sa.and_(*(other.c[name] == table.c[name] for name in columns))
    taken = sa.exists().where(other.c.contact_id == kept, same)
    db.execute(sa.update(table).where(table.c.contact_id == joined, ~taken).values(contact_id=kept))


def _clear(db: sa.Connection, joined: int, now: datetime) -> None:
    for table in (tag, address, preference, permission, point, journey, score):
        db.execute(sa.delete(table).where(table.c.contact_id == joined))
    call_off(db, joined, "merged", now)


def _fill(db: sa.Connection, kept: Any, joined: Any, now: datetime) -> None:
    values = {name: getattr(kept, name) or getattr(joined, name) for name in (*_FILLED, "birthdate", "source")}
    values["traits"] = {**(joined.traits or {}), **(kept.traits or {})}
    values["first_seen"] = min(kept.first_seen, joined.first_seen)
    db.execute(sa.update(contact).where(contact.c.id == kept.id).values(**values, updated_at=now))
    empty: dict[str, Any] = dict.fromkeys((*_FILLED, "source"), "") | {"birthdate": None, "traits": {}}
    gone = {"key": f"merged-{joined.id}", "erased_at": now, "updated_at": now}
    db.execute(sa.update(contact).where(contact.c.id == joined.id).values(empty | gone))
