"""Contacts that are there: what a file says of them beside what is held. Most is the same, and is not written.

A value that a file leaves empty changes nothing. What that means is said twice, of columns and in the statement that
writes: somebody else may change a contact after it was looked at.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from vinculo.contacts.importing.row.lot import GUESSED, PERSON, Column, Lot
from vinculo.db.bulk import among, gather, put
from vinculo.db.tables import contact

_TEXT = ("kind", "given_name", "family_name", "region", "city", "owner", "birthday")
#: What a value is worth by what it was inferred from: nothing, if it was said. Anything else is worth 0.
_WORTH = {"": 2, "phone": 1}
#: What a contact has that says nothing: columns of nothing else are left to the database.
NOTHING = {"birthdate": None, "traits": "{}"}


Person = Mapping[str, Column]
Columns = Mapping[tuple[str, ...], Column]
#: By its key: the id of a contact that is there, its key, and what is held of it.
Held = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Known:
    """Rows of contacts that are there, each of another: what is *held*, of *names*, what is *said*, the columns of a
    lot, and their *lines* stand at the same places.
    """

    names: Sequence[str]
    held: Sequence[Sequence[Any]]
    said: Columns
    lines: Sequence[int] = ()

    @property
    def ids(self) -> list[int]:
        """The contacts."""
        return [row[0] for row in self.held]

    def of(self, family: str) -> dict[tuple[str, ...], Column]:
        """The columns of a family, by the names behind it."""
        return {names[1:]: column for names, column in self.said.items() if names[0] == family}


def told(lots: Sequence[Lot]) -> Sequence[str]:
    """What *lots* say of contacts, besides their keys."""
    return [name for name in PERSON[1:] if any(tells(name, lot.columns["person", name]) for lot in lots)]


def tells(name: str, column: Column) -> bool:
    """Whether *column* says anything of anybody."""
    return column.count(NOTHING.get(name, "")) < len(column)


def held(db: sa.Connection, keys: Sequence[str], names: Sequence[str]) -> Held:
    """What is held, of what *names* say, of the contacts with *keys* that are there.

    Who is changed, erased or merged meanwhile on PostgreSQL is so before or after: what is written rests on this.
    """
    c = contact.c
    columns = (
        sa.type_coerce(c[n], sa.BigInteger) if n == "first_seen" else sa.cast(c[n], sa.Text) for n in _kept(names)
    )
    ask = sa.select(c.id, *columns).where(among(db, c.key))
    ask = ask.order_by(c.id).with_for_update(of=contact, key_share=True)  # as all do who lock several
    return {row[1]: row for row in gather(db, ask, keys)}


def _kept(names: Sequence[str]) -> list[str]:
    """Of what was inferred also from what."""
    return list(dict.fromkeys(["key", *names, *(f"{name}_from" for name in GUESSED if name in names)]))


def renew(db: sa.Connection, known: Sequence[Known], touched: Collection[int], at: int) -> None:
    """Write what the rows of *known*, of the same names, change. Of those *touched* something else has changed.

    All others stay as they are, with `updated_at`.
    """
    lines: list[tuple[Any, ...]] = []
    for each in filter(lambda each: each.held, known):
        names = each.names
        said = {name: each.said["person", name] for name in PERSON}
        old = dict(zip(("id", *_kept(names)), map(list, zip(*each.held, strict=True)), strict=True))
        places = {place for place, who in enumerate(old["id"]) if who in touched} if touched else set[int]()
        places.update(_changed(said, old))
        lines += ((old["key"][n], *(said[name][n] for name in names), at) for n in places)
    if lines:
        lines.sort(key=itemgetter(0))  # one order for everybody: whoever writes at once waits, and never in a ring
        put(db, contact, ("key", *names, "updated_at"), lines, upsert(db.dialect.name, tuple(names)))


def _changed(new: Person, old: Person) -> Iterator[int]:
    """The places of the rows that say what is not held yet."""
    for name in old.keys() & {*_TEXT, "birthdate"}:
        if new[name] != old[name]:
            pairs = zip(new[name], old[name], strict=True)
            yield from (at for at, (said, held) in enumerate(pairs) if said and said != held)
    for name in old.keys() & set(GUESSED):
        if new[name] != old[name] or new[f"{name}_from"] != old[f"{name}_from"]:
            columns = (which[each] for each in (name, f"{name}_from") for which in (new, old))
            yield from (at for at, row in enumerate(zip(*columns, strict=True)) if _better(*row))
    seen = list(map(int.__lt__, new["first_seen"], old["first_seen"]))
    if any(seen):
        yield from (at for at, earlier in enumerate(seen) if earlier)
    if "source" in old and new["source"] != old["source"]:
        rows = zip(new["source"], old["source"], seen, strict=True)
        yield from (
            at for at, (said, held, earlier) in enumerate(rows) if said and said != held and (earlier or not held)
        )
    if "traits" in old and new["traits"] != old["traits"]:
        pairs = zip(new["traits"], old["traits"], strict=True)
        yield from (at for at, (said, held) in enumerate(pairs) if said != held and not _within(said, held))


def _better(said: str, held: str, said_from: str, held_from: str) -> bool:
    differs = bool(said) and (said, said_from) != (held, held_from)
    return differs and (not held or _WORTH.get(said_from, 0) >= _WORTH.get(held_from, 0))


def _within(said: str, held: str) -> bool:
    """Whether *held* has each of the traits *said*, as it is said: 1 is neither 1.0 nor true."""
    if said == "{}":
        return True
    known = json.loads(held)
    return all(name in known and _spelt(known[name]) == _spelt(value) for name, value in json.loads(said).items())


def _spelt(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@lru_cache
def upsert(dialect: str, names: tuple[str, ...]) -> str:
    """What becomes of a contact that is there, where rows have the columns *names*.

    An empty value changes nothing; traits are joined; `first_seen` only moves back, and the source with it. What was
    inferred gives way to what is said, and to what is inferred anew from as good a source or a better one: a number is
    better than a country. It never replaces what was said.
    """
    changed = {n: f"CASE WHEN excluded.{n} <> '' THEN excluded.{n} ELSE contact.{n} END" for n in _TEXT}
    for name in GUESSED:
        gap, worth = f"contact.{name} = ''", f"{_worth('excluded', name)} >= {_worth('contact', name)}"
        better = f"excluded.{name} <> '' AND ({gap} OR {worth})"
        changed |= {n: f"CASE WHEN {better} THEN excluded.{n} ELSE contact.{n} END" for n in (name, f"{name}_from")}
    merged = "json_patch(contact.traits, excluded.traits)"
    if dialect != "sqlite":
        merged = "contact.traits || excluded.traits"
    earlier = "excluded.first_seen < contact.first_seen"
    changed |= {
        "birthdate": "coalesce(excluded.birthdate, contact.birthdate)",
        "traits": f"CASE WHEN excluded.traits = '{{}}' THEN contact.traits ELSE {merged} END",
        "first_seen": f"CASE WHEN {earlier} THEN excluded.first_seen ELSE contact.first_seen END",
        "source": f"CASE WHEN excluded.source <> '' AND (contact.source = '' OR {earlier}) "
        "THEN excluded.source ELSE contact.source END",
    }
    written = ", ".join(f"{name} = {changed[name]}" for name in _kept(names) if name in changed)
    return f"(key) DO UPDATE SET {written}, updated_at = excluded.updated_at"


def _worth(row: str, name: str) -> str:
    whens = " ".join(f"WHEN '{source}' THEN {worth}" for source, worth in _WORTH.items())
    return f"CASE {row}.{name}_from {whens} ELSE 0 END"
