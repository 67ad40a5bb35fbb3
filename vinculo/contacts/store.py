"""Reading contacts: by key, and whole batches of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa

from vinculo.db.statement import Statement, given, id_of
from vinculo.db.tables import address, alias, contact, preference, score, tag
from vinculo.errors import NotFound, UsageError
from vinculo.model import Address, Contact, ContactKind
from vinculo.quick import quick

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
    """Return the contacts *ids*, in that order, with addresses, tags, traits and stage: three statements per 10,000."""
    found: dict[int, Contact] = {}
    for chunk in chunks(dict.fromkeys(ids)):
        found.update(_load(db, chunk))
    return found


def _load(db: sa.Connection, ids: Sequence[int]) -> dict[int, Contact]:
    asked = dict.fromkeys(ids, 0)
    addresses: dict[int, list[Address]] = defaultdict(list)
    for owner, channel, value in _ADDRESSES(db, given=asked):
        addresses[owner].append(_ADDRESS(channel, value))
    tags: dict[int, set[str]] = defaultdict(set)
    for owner, name in _TAGS(db, given=asked):
        tags[owner].add(name)
    found: dict[int, Contact] = {}
    for row in _PEOPLE(db, given=asked):  # by position and not by name: there are thousands a second
        number, key, kind, first, last, language, *rest, stage, wish = row
        found[number] = _CONTACT(
            number, key, _KINDS[kind or ContactKind.CUSTOMER], first, last,
            wish or language,  # what the contact chose beats what we were told
            *rest[:7], stage or "", rest[7], tuple(addresses.get(number, ())), frozenset(tags.get(number, ())),
            rest[8] or {},
        )  # fmt: skip
    return {number: found[number] for number in ids if number in found}


#: Told apart from its signature: a type checker cannot count what is taken out of a row.
_CONTACT: Callable[..., Contact] = quick(Contact)
_ADDRESS = quick(Address)
_KINDS = {kind.value: kind for kind in ContactKind}


def _people() -> sa.Select[Any]:
    rows, c = given(), contact.c
    wish = sa.and_(preference.c.contact_id == c.id, preference.c.name == "language")
    return (
        sa.select(
            *(c.id, c.key, c.kind, c.given_name, c.family_name, c.language, c.country, c.region, c.city, c.timezone),
            *(c.birthdate, c.owner, c.source, c.first_seen, c.traits, score.c.stage, preference.c.value),
        )
        .join_from(rows, contact, c.id == id_of(rows))
        .outerjoin(score, score.c.contact_id == c.id)
        .outerjoin(preference, wish)
    )


def _addresses() -> sa.Select[Any]:
    rows, a = given(), address.c
    ask = sa.select(a.contact_id, a.channel, a.value).join_from(rows, address, a.contact_id == id_of(rows))
    return ask.order_by(a.contact_id, a.position, a.id)


def _tags() -> sa.Select[Any]:
    rows = given()
    return sa.select(tag.c.contact_id, tag.c.name).join_from(rows, tag, tag.c.contact_id == id_of(rows))


def _scores() -> sa.Select[Any]:
    rows = given()
    return sa.select(score).join_from(rows, score, score.c.contact_id == id_of(rows))


_PEOPLE, _ADDRESSES, _TAGS, _SCORES = (Statement(build) for build in (_people, _addresses, _tags, _scores))


def zones(db: sa.Connection) -> frozenset[str]:
    """The time zones in which our contacts live; "" stands for those whose zone we do not know."""
    return frozenset(db.scalars(sa.select(contact.c.timezone).where(contact.c.erased_at.is_(None)).distinct()))


def scores(db: sa.Connection, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the row of table `score` of each of *ids* that has one."""
    names, found = tuple(score.c.keys()), {}
    for chunk in chunks(dict.fromkeys(ids)):
        for row in _SCORES(db, given=dict.fromkeys(chunk, 0)):
            values = dict(zip(names, row, strict=True))
            found[values["contact_id"]] = values
    return found
