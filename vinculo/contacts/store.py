"""Reading contacts: by key, and whole batches of them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from functools import partial
from itertools import repeat
from typing import Any

import sqlalchemy as sa

from vinculo.db.bulk import chunks
from vinculo.db.statement import Statement, these
from vinculo.db.tables import address, alias, contact, identifier, moment, preference, score, tag
from vinculo.errors import NotFound, UsageError
from vinculo.model import NOTHING, Address, Contact, ContactKind
from vinculo.quick import quick

#: What takes work of its own to look up: not every message asks for it.
EVERYTHING = frozenset({"addresses", "first_seen", "score", "tags", "traits"})
_ID = re.compile(r"#\d{1,18}", re.ASCII)  # what fits in 64 bits


def find(db: sa.Connection, key: str) -> int | None:
    """Return the id of the contact that *key* names: its key, an alias, an address, `SYSTEM:VALUE`, or `#id`.

    An id that was joined into another contact answers with that other. Raises `UsageError` when several contacts
    have the address or the identifier.
    """
    key = key.strip()
    found = _by_alias(db, key)
    if found is None and _ID.fullmatch(key):
        found = db.scalar(sa.select(contact.c.id).where(contact.c.id == int(key[1:])))
    if found is None:
        found = db.scalar(sa.select(contact.c.id).where(contact.c.key == key))
    return found if found is not None else _shared_name(db, key)


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


def _shared_name(db: sa.Connection, key: str) -> int | None:
    """Return whose address or identifier *key* is: of several contacts, perhaps."""
    values = {key, key.casefold(), "+" + "".join(filter(str.isdecimal, key))}
    ask: Any = sa.select(address.c.contact_id).where(address.c.value.in_(values)).distinct()
    system, colon, value = key.partition(":")
    if colon:
        named = (identifier.c.system == system) & (identifier.c.value == value)
        ask = ask.union(sa.select(identifier.c.contact_id).where(named))
    ids = sorted(set(db.scalars(ask.limit(6))))
    if len(ids) > 1:
        shown = ", ".join(f"`#{each}`" for each in ids[:5])
        what = "identifier" if colon else "address"
        raise UsageError(f"Several contacts have the {what} `{key}`", f"Say which one: {shown}.")
    return ids[0] if ids else None


def load(db: sa.Connection, ids: Iterable[int]) -> dict[int, Contact]:
    """Return the contacts *ids*, in that order, with addresses, tags, traits and stage: three statements per 10,000."""
    return load_scored(db, ids)[0]


def scores(db: sa.Connection, ids: Iterable[int]) -> dict[int, Score]:
    """Return the scores of each of *ids* that has some."""
    return load_scored(db, ids)[1]


def load_scored(
    db: sa.Connection, ids: Iterable[int], asked: Collection[str] = EVERYTHING
) -> tuple[dict[int, Contact], dict[int, Score]]:
    """Return what `load` and `scores` do. What of `EVERYTHING` is not *asked* for is not looked up, and is empty."""
    people: dict[int, Contact] = {}
    scored: dict[int, Score] = {}
    for chunk in chunks(dict.fromkeys(ids)):
        found = _load(db, chunk, scored, asked)
        people.update((number, found[number]) for number in chunk if number in found)
    return people, scored


def _load(
    db: sa.Connection, ids: Sequence[int], scored: dict[int, Score], asked: Collection[str]
) -> dict[int, Contact]:
    addresses: dict[int, list[Address]] = defaultdict(list)
    for owner, channel, value in _ADDRESSES.rows(db, ids=ids) if "addresses" in asked else ():
        addresses[owner].append(_ADDRESS(channel, value))
    tags: dict[int, set[str]] = defaultdict(set)
    for owner, name in _TAGS.rows(db, ids=ids) if "tags" in asked else ():
        tags[owner].add(name)
    rows = _PEOPLE["score" in asked].rows(db, ids=ids)
    traits = _read([row[_TRAITS] for row in rows]) if "traits" in asked else repeat(NOTHING)
    found: dict[int, Contact] = {}
    for row, known in zip(rows, traits, strict=False):  # by position and not by name: there are thousands a second
        (
            number, key, kind, first, last, language, country, region, city, zone, owner, source, born, seen, wish, _,
            *score_of,
        ) = row  # fmt: skip
        stage = ""
        if score_of and score_of[0] is not None:
            values = scored[number] = dict(zip(_SCORE, score_of, strict=True))
            values["at"], stage = moment(values["at"]), values["stage"]
        found[number] = _CONTACT(
            number, key, _KINDS[kind or ContactKind.CUSTOMER], first, last,
            wish or language,  # what the contact chose beats what we were told
            country, region, city, zone, date.fromisoformat(born) if type(born) is str else born, owner, source, stage,
            moment(seen) if "first_seen" in asked else None,
            tuple(addresses[number]) if number in addresses else (),
            frozenset(tags[number]) if number in tags else _NO_TAGS,
            known or {},
        )  # fmt: skip
    return found


def _read(traits: Sequence[Any]) -> Iterable[Any]:
    """Return *traits* as they are; SQLite has them as JSON, and to read it all at once takes a third of the time."""
    if traits and type(traits[0]) is str:
        read: list[Any] = json.loads(f"[{','.join(traits)}]")
        return read
    return traits


Score = dict[str, Any]
#: What segments and templates know of a score; what only the console shows is not read for every message.
_SCORES = [
    score.c[name]
    for name in (
        *("contact_id", "recency", "frequency", "value", "r", "f", "m", "stage", "engagement"),
        *("alive", "expected", "lifetime_value", "at"),
    )
]
_SCORE = tuple(column.name for column in _SCORES)
#: Where the traits stand in a row.
_TRAITS = 15
_NO_TAGS: frozenset[str] = frozenset()
#: Told apart from its signature: a type checker cannot count what is taken out of a row.
_CONTACT: Callable[..., Contact] = quick(Contact)
_ADDRESS = quick(Address)
_KINDS = {kind.value: kind for kind in ContactKind}


def _people(*, scored: bool) -> sa.Select[Any]:
    c = contact.c
    wish = sa.and_(preference.c.contact_id == c.id, preference.c.name == "language")
    number, people = sa.BigInteger(), sa.outerjoin(contact, preference, wish)
    ask = sa.select(
        *(c.id, c.key, c.kind, c.given_name, c.family_name, c.language, c.country, c.region, c.city, c.timezone),
        *(c.owner, c.source, c.birthdate, sa.type_coerce(c.first_seen, number), preference.c.value, c.traits),
    ).where(these(c.id))
    if not scored:
        return ask.select_from(people)
    ask = ask.add_columns(*(sa.type_coerce(each, number) if each is score.c.at else each for each in _SCORES))
    return ask.select_from(people.outerjoin(score, score.c.contact_id == c.id))


def _addresses() -> sa.Select[Any]:
    a = address.c
    ask = sa.select(a.contact_id, a.channel, a.value).where(these(a.contact_id))
    return ask.order_by(a.contact_id, a.position, a.id)


def _tags() -> sa.Select[Any]:
    return sa.select(tag.c.contact_id, tag.c.name).where(these(tag.c.contact_id))


_PEOPLE = {scored: Statement(partial(_people, scored=scored)) for scored in (False, True)}
_ADDRESSES, _TAGS = Statement(_addresses), Statement(_tags)


def how_many(db: sa.Connection) -> int:
    """How many contacts there are: all less the few erased, each from an index, for the rows are wide."""
    everybody, erased = sa.select(sa.func.count(contact.c.id)), contact.c.erased_at.is_not(None)
    gone = everybody.where(erased).scalar_subquery()
    return int(db.scalar(sa.select(everybody.scalar_subquery() - gone)) or 0)


def zones(db: sa.Connection) -> frozenset[str]:
    """The time zones in which our contacts live; "" stands for those whose zone we do not know."""
    return frozenset(db.scalars(sa.select(contact.c.timezone).where(contact.c.erased_at.is_(None)).distinct()))
