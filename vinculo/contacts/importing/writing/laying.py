"""Writing a lot of new contacts: rows that are there for nobody else to have written, a table at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from itertools import chain, compress, groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from vinculo import consent as consents
from vinculo.consent import Hasher, address_hashes
from vinculo.contacts.importing.row.lot import PERSON, PROOF, Column, Columns, Lot
from vinculo.contacts.importing.writing.known import tells
from vinculo.db.bulk import add, numbers, pour
from vinculo.db.image import Alike, Image, Rows, drawn, move, unroll
from vinculo.db.lines import Lines, numbered, spelled
from vinculo.db.tables import address, consent, contact, identifier, micros, permission, tag
from vinculo.model import ContactKind


def lay(db: sa.Connection, lots: Sequence[Lot], signer: Hasher, now: datetime, source: str) -> None:
    """Write the contacts of *lots*, none of which is there. Raises `sa.exc.IntegrityError` if one is after all."""
    told = _joined(lots)
    if not told:
        return
    ids, at = numbers(db, contact, len(told["person", "key"])), micros(now)
    people = Rows(contact, {"id": ids, **_people(told, at, source)})
    laid = [people, *filter(len, _belongings(told, ids, signer, at, source))]
    for table, each in groupby(laid, attrgetter("table")):
        parts = list(each)
        names, lines = tuple(parts[0].columns), chain.from_iterable(rows.lines() for rows in parts)
        if table is consent:
            consents.record_new(db, names, list(lines))
        else:
            add(db, table, names, lines)


#: What another process makes of lots for `lay_drawn`.
Drawn = Image | Sequence[Lines]


def draw(signer: Hasher, lots: Sequence[Lot], now: datetime, source: str) -> Image | None:
    """An image of what `lay` would write. In it contacts have the numbers from 1, in their order."""
    laid = _unnumbered(signer, lots, now, source)
    return drawn(laid) if laid else None


def spell(signer: Hasher, lots: Sequence[Lot], now: datetime, source: str) -> Sequence[Lines] | None:
    """The same as lines for PostgreSQL."""
    laid = _unnumbered(signer, lots, now, source)
    said = [rows.columns for rows in laid if rows.table is consent]
    live = [Rows(permission, {name: columns[name] for name in consents.LIVE}) for columns in said]
    return spelled([*laid, *live]) or None


def _unnumbered(signer: Hasher, lots: Sequence[Lot], now: datetime, source: str) -> list[Rows]:
    told = _joined(lots)
    if not told:
        return []
    ids, at = range(1, len(told["person", "key"]) + 1), micros(now)
    people = Rows(contact, _people(told, at, source))
    return [people, *filter(len, _belongings(told, ids, signer, at, source))]


def lay_drawn(db: sa.Connection, made: Drawn, left: Sequence[int]) -> range | None:
    """Write the contacts in *made* but those whose numbers in it are *left*, as `lay` does; None: the database did not
    take them so. Return the lines of `consent` that nobody else will ever have: on SQLite none, where the number of one
    that is gone comes back.
    """
    if isinstance(made, Image):
        return range(0) if _lay_image(db, made, left) else None
    return _lay_lines(db, made, frozenset(left))


def _lay_lines(db: sa.Connection, made: Sequence[Lines], left: AbstractSet[int]) -> range:
    number, said = len(made[0].owners), range(0)
    ids = iter(numbers(db, contact, number - len(left)))
    who = [0, *(0 if n in left else next(ids) for n in range(1, number + 1))]
    for each in made:
        owners, lines = each.but(left)
        mine = [who[n] for n in owners]
        if each.table == consent.name:
            said = numbers(db, consent, len(mine))
        own = _OWN.get(each.table, ("contact_id",))
        if lines:
            before = (mine,) if len(own) == 1 else (said, mine)
            pour(db, each.table, (*own, *each.names), numbered(lines, *before))
    return said


#: What is written before a line, where it is not whose it is alone. A permission names the consent that it repeats.
_OWN = {contact.name: ("id",), consent.name: ("id", "contact_id"), permission.name: ("consent_id", "contact_id")}


def _lay_image(db: sa.Connection, image: Image, left: Sequence[int]) -> bool:
    if not unroll(db, image, left):
        return False
    first, said = (numbers(db, table, 1)[0] - 1 for table in (contact, consent))
    for n, part in enumerate(image.parts):
        values = dict(zip(part.names, part.names, strict=True))
        if part.table == contact.name:
            move(db, n, part.table, {**values, "id": f"rowid + {first}"}, part.alike)
            continue
        values["contact_id"] = f"contact_id + {first}"
        if part.table != consent.name:
            move(db, n, part.table, values, part.alike)
            continue
        move(db, n, part.table, {**values, "id": f"rowid + {said}"}, part.alike)
        live = {name: values[name] for name in consents.LIVE if name in values}
        alike = {name: part.alike[name] for name in consents.LIVE if name in part.alike}
        move(db, n, permission.name, {**live, "consent_id": f"rowid + {said}"}, alike)
        said += part.number
    return True


def _joined(lots: Sequence[Lot]) -> Columns:
    """The columns of all *lots*, which have the same ones; none for none."""
    some = [lot for lot in lots if lot.keys]
    names = some[0].columns if some else ()
    return {each: list(chain.from_iterable(lot.columns[each] for lot in some)) for each in names}


def _people(told: Columns, at: int, source: str) -> dict[str, Column]:
    """The columns of `contact` that say anything."""
    else_ = {"kind": ContactKind.CUSTOMER.value, "source": source}
    said = {name: told["person", name] for name in PERSON}
    filled = {name: [each or empty for each in said[name]] for name, empty in else_.items()}
    people = {name: filled.get(name, column) for name, column in said.items() if name in else_ or tells(name, column)}
    return {**people, "updated_at": Alike(at, len(said["key"]))}


def _belongings(told: Columns, ids: Sequence[int], signer: Hasher, at: int, source: str) -> Iterator[Rows]:
    """The rows of all other tables."""
    for names, column in told.items():
        if names[0] == "address":
            yield _reached(names[1], ids, column, signer, at)
    for names, column in told.items():
        if names[0] == "id":
            named = list(filter(None, column))
            who = list(compress(ids, column))
            yield Rows(identifier, {"contact_id": who, "system": Alike(names[1], len(who)), "value": named})
    tagged = [(who, name) for who, each in zip(ids, told.get(("tags",), ()), strict=False) for name in each]
    yield Rows(tag, {"contact_id": [who for who, _ in tagged], "name": [name for _, name in tagged]})
    for names, column in told.items():
        if names[0] == "consent":
            yield _said(names[1:], ids, column, told, at, source)


def _reached(channel: str, ids: Sequence[int], values: Column, signer: Hasher, at: int) -> Rows:
    there = list(filter(None, values))
    number = len(there)
    return Rows(
        address,
        {
            "contact_id": list(compress(ids, values)),
            "channel": Alike(channel, number),
            "value": there,
            "hash": address_hashes(signer, channel, there),
            "position": Alike(0, number),
            "added_at": Alike(at, number),
        },
    )


def _said(about: tuple[str, ...], ids: Sequence[int], said: Column, told: Columns, at: int, source: str) -> Rows:
    """The rows of `consent` about a channel and topic. What nobody dated is as of now; a no never ends."""
    answered = [answer is not None for answer in said]
    answers: list[Any] = list(compress(said, answered))
    dated, sources, bases, hashes, ends = (list(compress(told["proof", name], answered)) for name in PROOF)
    return Rows(
        consent,
        {
            "contact_id": list(compress(ids, answered)),
            "channel": Alike(about[0], len(answers)),
            "topic": Alike(about[1], len(answers)),
            "granted": answers,
            "at": [at if each is None else each for each in dated],
            "source": [each or source for each in sources],
            "legal_basis": [each or ("consent" if yes else "") for each, yes in zip(bases, answers, strict=True)],
            "text_hash": hashes,
            "expires_at": [each if yes else None for each, yes in zip(ends, answers, strict=True)],
        },
    )
