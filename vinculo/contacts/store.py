"""Reading contacts: by key, and whole batches of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import address, alias, contact, preference, score, tag
from vinculo.errors import NotFound, UsageError
from vinculo.model import Address, Contact, ContactKind

#: Ids in one statement; SQLite takes 32,766 parameters.
CHUNK = 10_000
_ID = re.compile(r"#\d{1,18}", re.ASCII)  # what fits in 64 bits


def find(db: sa.Connection, key: str) -> int | None:
    """Return the id of the contact that *key* names: its key, an alias, an address, or `#id`.

    An id that was joined into another contact answers with that other. Raises `UsageError` when several contacts
    have the address.
    """
    key = key.strip()
    found = _by_alias(db, key)
    if found is None and _ID.fullmatch(key):
        found = db.scalar(sa.select(contact.c.id).where(contact.c.id == int(key[1:])))
    if found is None:
        found = db.scalar(sa.select(contact.c.id).where(contact.c.key == key))
    return found if found is not None else _by_address(db, key)


def require(db: sa.Connection, key: str) -> int:
    """Return the id of the contact that *key* names. Raises `NotFound` with what to give instead."""
    found = find(db, key)
    if found is None:
        raise NotFound(
            f"There is no contact `{key}`", "Give its key, an address of it as we hold it, or `#` and its id."
        )
    return found


def living(db: sa.Connection, contact_id: int) -> int | None:
    """Return the contact *contact_id*, or the one it was joined into; None when the person was erased."""
    ask = sa.select(contact.c.id).where(contact.c.id == contact_id, contact.c.erased_at.is_(None))
    found: int | None = db.scalar(ask)
    return found if found is not None else _by_alias(db, f"#{contact_id}")


def _by_alias(db: sa.Connection, key: str) -> int | None:
    return db.scalar(sa.select(alias.c.contact_id).where(alias.c.key == key))


def _by_address(db: sa.Connection, key: str) -> int | None:
    values = {key, key.casefold(), "+" + "".join(filter(str.isdecimal, key))}
    ask = sa.select(address.c.contact_id).where(address.c.value.in_(values)).distinct()
    ids = sorted(db.scalars(ask.limit(6)))
    if len(ids) > 1:
        shown = ", ".join(f"`#{each}`" for each in ids[:5])
        raise UsageError(f"Several contacts have the address `{key}`", f"Say which one: {shown}.")
    return ids[0] if ids else None


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """Cut *values* into lists of at most *size*."""
    source = iter(values)
    while chunk := list(islice(source, size)):
        yield chunk


def load(db: sa.Connection, ids: Iterable[int]) -> dict[int, Contact]:
    """Return the contacts *ids* with addresses, tags, traits and stage, in three statements per 10,000."""
    found: dict[int, Contact] = {}
    for chunk in chunks(dict.fromkeys(ids)):
        found.update(_load(db, chunk))
    return found


def _load(db: sa.Connection, ids: Sequence[int]) -> dict[int, Contact]:
    addresses, tags = _addresses(db, ids), _tags(db, ids)
    wish = sa.and_(preference.c.contact_id == contact.c.id, preference.c.name == "language")
    ask = (
        sa.select(contact, score.c.stage, preference.c.value.label("wish"))
        .outerjoin(score, score.c.contact_id == contact.c.id)
        .outerjoin(preference, wish)
    )
    rows = db.execute(ask.where(contact.c.id.in_(ids))).mappings()
    return {row["id"]: _contact(row, addresses, tags) for row in rows}


def _addresses(db: sa.Connection, ids: Sequence[int]) -> dict[int, list[Address]]:
    found: dict[int, list[Address]] = defaultdict(list)
    ask = sa.select(address.c.contact_id, address.c.channel, address.c.value).where(address.c.contact_id.in_(ids))
    for owner, channel, value in db.execute(ask.order_by(address.c.contact_id, address.c.position, address.c.id)):
        found[owner].append(Address(channel, value))
    return found


def _tags(db: sa.Connection, ids: Sequence[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = defaultdict(set)
    for owner, name in db.execute(sa.select(tag.c.contact_id, tag.c.name).where(tag.c.contact_id.in_(ids))):
        found[owner].add(name)
    return found


_PLAIN = ("given_name", "family_name", "country", "region", "city", "timezone", "birthdate", "owner")


def _contact(row: Any, addresses: Mapping[int, list[Address]], tags: Mapping[int, set[str]]) -> Contact:
    return Contact(
        id=row["id"],
        key=row["key"],
        kind=ContactKind(row["kind"] or ContactKind.CUSTOMER),
        **{name: row[name] for name in _PLAIN},
        language=row["wish"] or row["language"],  # what the contact chose beats what we were told
        source=row["source"],
        stage=row["stage"] or "",
        first_seen=row["first_seen"],
        addresses=tuple(addresses.get(row["id"], ())),
        tags=frozenset(tags.get(row["id"], ())),
        traits=row["traits"] or {},
    )


def zones(db: sa.Connection) -> frozenset[str]:
    """The time zones in which our contacts live; "" stands for those whose zone we do not know."""
    return frozenset(db.scalars(sa.select(contact.c.timezone).where(contact.c.erased_at.is_(None)).distinct()))


def scores(db: sa.Connection, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the row of table `score` of each of *ids* that has one."""
    return {
        row["contact_id"]: dict(row)
        for chunk in chunks(dict.fromkeys(ids))
        for row in db.execute(sa.select(score).where(score.c.contact_id.in_(chunk))).mappings()
    }
