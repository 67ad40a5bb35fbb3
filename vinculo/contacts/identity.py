"""Who a contact is besides its name: other systems' names of it, what was inferred, who may be the same, who it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from vinculo.contacts.duplicates import Duplicate, duplicates
from vinculo.db.tables import contact, identifier, merging

_INFERRED = ("country", "language", "timezone")
#: So many values that it shares with others are found at most.
_SHARED = 20


@dataclass(frozen=True, slots=True)
class Joined:
    """A contact that became part of another."""

    id: int
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Identity:
    """*identifiers*: (system, value). *inferred*: name → `phone` or `country`, for what nobody said."""

    identifiers: tuple[tuple[str, str], ...]
    inferred: Mapping[str, str]
    duplicates: tuple[Duplicate, ...]
    joined: tuple[Joined, ...]


def identity(db: sa.Connection, contact_id: int) -> Identity:
    """Return who the contact is besides its name."""
    i, m = identifier.c, merging.c
    names = sa.select(i.system, i.value).where(i.contact_id == contact_id).order_by(i.system, i.value)
    sources = sa.select(*(contact.c[f"{name}_from"] for name in _INFERRED)).where(contact.c.id == contact_id)
    parts = sa.select(m.joined_id, m.at, m.reason).where(m.contact_id == contact_id, m.undone_at.is_(None))
    return Identity(
        tuple((system, value) for system, value in db.execute(names)),
        {name: source for name, source in zip(_INFERRED, db.execute(sources).one(), strict=True) if source},
        tuple(duplicates(db, _SHARED, contact_id)),
        tuple(Joined(*row) for row in db.execute(parts.order_by(m.id.desc()))),
    )
