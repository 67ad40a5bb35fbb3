"""Contacts that may be one person: they share an address, a number or another system's identifier."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from vinculo.db.bulk import chunks
from vinculo.db.tables import address, identifier

_NUMBER = "+"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Contacts, the oldest first, that have the same *value*. *by*: `phone`, a channel, or a system's name."""

    by: str
    value: str
    contacts: tuple[int, ...]


def duplicates(db: sa.Connection, limit: int = 1_000, contact_id: int | None = None) -> list[Duplicate]:
    """Return what several contacts share, or what *contact_id* shares with others, at most *limit* values a kind.

    A number is the same on every channel. Households share addresses: whether two are one, a person decides.
    """
    a, i = address.c, identifier.c
    by_number = a.value.startswith(_NUMBER)
    numbers = sa.select(sa.literal("phone").label("by"), a.value, a.contact_id).where(by_number)
    addresses = sa.select(a.channel.label("by"), a.value, a.contact_id).where(~by_number)
    names = sa.select(i.system.label("by"), i.value, i.contact_id)
    found = [_shared(db, rows.subquery(), limit, contact_id) for rows in (addresses, numbers, names)]
    return [each for kind in found for each in kind]


def _shared(db: sa.Connection, rows: sa.Subquery, limit: int, contact_id: int | None) -> list[Duplicate]:
    """Ask twice: first for what is shared, which needs no memory, then by whom."""
    r = rows.c
    several = sa.func.count(r.contact_id.distinct()) > 1
    ask = sa.select(r.by, r.value).group_by(r.by, r.value).having(several).order_by(r.by, r.value).limit(limit)
    if contact_id is not None:
        mine = sa.select(r.by, r.value).where(r.contact_id == contact_id).distinct().subquery()
        ask = ask.join_from(rows, mine, (mine.c.by == r.by) & (mine.c.value == r.value))
    shared = [tuple(row) for row in db.execute(ask)]
    owners: dict[tuple[str, str], list[int]] = {}
    for chunk in chunks(shared, 500):
        whose = sa.select(r.by, r.value, r.contact_id).where(sa.tuple_(r.by, r.value).in_(chunk)).distinct()
        for by, value, owner in db.execute(whose.order_by(r.contact_id)):
            owners.setdefault((by, value), []).append(owner)
    return [Duplicate(by, value, tuple(owners[by, value])) for by, value in shared]
