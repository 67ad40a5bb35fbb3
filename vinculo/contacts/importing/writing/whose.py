"""Which contact each row is about: row after row, whatever stands in one batch, so that batches change nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import sqlalchemy as sa

from vinculo.contacts.importing.row.draft import Draft
from vinculo.contacts.importing.row.lot import Column, Lot
from vinculo.db.bulk import gather, listed
from vinculo.db.tables import address, alias, contact, identifier

#: Greater than any id: who is new is younger than whoever is there.
_NEW = 1 << 63


class Keyless:
    """What names the contacts of a file's rows without a key, a hash each. A later row that gives such a contact a
    key is about the same one.
    """

    def __init__(self) -> None:
        #: By the name: the first of these rows.
        self._names = dict[int, int]()

    def keep(self, drafts: Iterable[Draft]) -> None:
        """Remember those of *drafts*."""
        for draft in drafts:
            if not draft.key:
                self._names.setdefault(hash(draft.identity), draft.line)

    def among(self, lots: Iterable[Lot]) -> set[str]:
        """The keys in *lots* of contacts that have such a name, too."""
        if not self._names:
            return set()
        known, found = self._names, set[str]()
        for lot in lots:
            for column in lot.of("address").values():
                found.update(key for key, value in zip(lot.keys, column, strict=True) if hash(value) in known)
            for (system,), column in lot.of("id").items():
                named = zip(lot.keys, column, strict=True)
                found.update(key for key, value in named if hash(f"{system}:{value}") in known)
        return found

    def of(self, draft: Draft) -> list[str]:
        """The names of *draft*, which has a key, that named such a row before it."""
        if not self._names:
            return []
        return [name for name in draft.names[1:] if self._names.get(hash(name), draft.line) < draft.line]


def alike(lots: Sequence[Lot], drafts: Sequence[Draft], unusual: Collection[str]) -> set[str]:
    """The keys in *lots* that are *unusual*, and those of contacts that share a name with them or with one of *drafts*.

    Of several contacts with a name it means the oldest: these are all made in the order in which the file has them.
    """
    found, fresh, names = set(unusual), set(unusual), {name for draft in drafts for name in draft.names}
    columns = [named for lot in lots for named in _names(lot)] if names or fresh else []
    while columns:
        for keys, column in columns if fresh else ():
            names.update(name for key, name in zip(keys, column, strict=True) if name and key in fresh)
        fresh = {
            key
            for keys, column in columns
            if not names.isdisjoint(column)
            for key, name in zip(keys, column, strict=True)
            if name in names and key not in found
        }
        if not fresh:
            break
        found |= fresh
    return found


def _names(lot: Lot) -> Iterator[tuple[Column, Column]]:
    """The keys of *lot*, with what else names each contact; "" for nothing."""
    for column in lot.of("address").values():
        yield lot.keys, column
    for (system,), column in lot.of("id").items():
        yield lot.keys, [value and f"{system}:{value}" for value in column]


@dataclass(slots=True)
class Joined:
    """*drafts*: one of each contact, by its key, in the order in which the file names them first. *adopted*: the name
    that a contact without a key had for one, and the key that a row gives it.
    """

    drafts: dict[str, Draft] = field(default_factory=dict)
    adopted: dict[str, str] = field(default_factory=dict)


def join(db: sa.Connection, drafts: Sequence[Draft], keyless: Keyless) -> Joined:
    """Join those of *drafts* that are about the same contact, in their order."""
    known = known_keys(db, drafts)
    given = {draft.line: keyless.of(draft) for draft in drafts if draft.key}
    if all(draft.key for draft in drafts) and not any(given.values()):
        joined = Joined()
        for draft in drafts:
            _add(joined.drafts, known.get(draft.key, draft.key), draft)
        return joined
    keys = {
        known.get(name, name) for draft in drafts for name in (draft.key or draft.identity, *given.get(draft.line, ()))
    }
    return _Joining(known, given, ids(db, sorted(keys))).join(drafts)


@dataclass(slots=True)
class _Joining:
    """*there*: the ids of contacts that are there, by key. Of several with a name it means the oldest."""

    known: Mapping[str, str]
    given: Mapping[int, Sequence[str]]
    there: Mapping[str, int]
    _made: Joined = field(default_factory=Joined)
    #: How old each contact is, and whom what the rows have said so far names, by key.
    _age: dict[str, int] = field(default_factory=dict)
    _named: dict[str, str] = field(default_factory=dict)

    def join(self, drafts: Sequence[Draft]) -> Joined:
        for draft in drafts:
            key = self._keyed(draft) if draft.key else self._keyless(draft)
            self._age.setdefault(key, self.there.get(key, _NEW + draft.line))
            for name in draft.names[bool(draft.key) :]:
                self._named[name] = min(self._named.get(name, key), key, key=self._age.__getitem__)
            _add(self._made.drafts, key, draft)
        self._made.drafts = {
            key: self._made.drafts[key] for key in sorted(self._made.drafts, key=self._age.__getitem__)
        }
        return self._made

    def _keyed(self, draft: Draft) -> str:
        adopted = self._made.adopted
        key = self.known.get(draft.key, draft.key)
        key = adopted.get(key, key)
        if self._has(key):
            return key
        old = next((name for name in self.given[draft.line] if name not in adopted and self._has(name)), None)
        if old is not None:
            self._adopt(old, key)
        return key

    def _keyless(self, draft: Draft) -> str:
        name = draft.identity
        found = [each[name] for each in (self.known, self._named) if name in each]
        key = min(found, key=lambda each: self._age.get(each, self.there.get(each, _NEW)), default=name)
        return self._made.adopted.get(key, key)

    def _has(self, key: str) -> bool:
        return key in self.there or key in self._made.drafts

    def _adopt(self, old: str, key: str) -> None:
        made = self._made
        made.adopted = {name: key if to == old else to for name, to in made.adopted.items()} | {old: key}
        self._age[key] = self._age.get(old, self.there.get(old, _NEW))
        if old in made.drafts:
            made.drafts[key] = made.drafts.pop(old)


def _add(joined: dict[str, Draft], key: str, draft: Draft) -> None:
    if key in joined:
        joined[key].add(draft)
    else:
        joined[key] = draft


def known_keys(db: sa.Connection, drafts: Sequence[Draft]) -> dict[str, str]:
    """Return the key of the contact that each identity names, where it is not the identity itself."""
    found: dict[str, str] = {}
    names, keyless = listed(db), [draft for draft in drafts if not draft.key]
    if keyless:
        at = {each.identity for each in keyless if not each.identifiers}
        found.update(gather(db, oldest(names, address, at_address(db, names)), at))
        named: dict[str, set[str]] = defaultdict(set)
        for system, value in (next(iter(each.identifiers.items())) for each in keyless if each.identifiers):
            named[system].add(value)
        for system, values in named.items():
            own = (identifier.c.system == system) & (identifier.c.value == names.c.value)
            keys = gather(db, oldest(names, identifier, own), values)
            found.update((f"{system}:{value}", key) for value, key in keys)
    ask = sa.select(alias.c.key, contact.c.key).join_from(names, alias, alias.c.key == names.c.value).join(contact)
    found.update(gather(db, ask, {draft.key for draft in drafts if draft.key}))
    return found


def bearers(db: sa.Connection, drafts: Sequence[Draft]) -> Mapping[str, Sequence[int]]:
    """The contacts that are there with each name that one of *drafts* has."""
    found: dict[str, list[int]] = defaultdict(list)
    named = {name for draft in drafts for name in draft.names}
    names, systems = listed(db), {system for draft in drafts for system in draft.identifiers}
    asks = [
        sa.select(names.c.value, contact.c.id).join_from(names, contact, contact.c.key == names.c.value),
        sa.select(names.c.value, alias.c.contact_id).join_from(names, alias, alias.c.key == names.c.value),
        sa.select(names.c.value, address.c.contact_id).join_from(names, address, at_address(db, names)),
    ]
    for name, who in chain.from_iterable(gather(db, ask, named) for ask in asks):
        found[name].append(who)
    own = sa.select(names.c.value, identifier.c.contact_id)
    for system in systems:
        told = {draft.identifiers[system] for draft in drafts if system in draft.identifiers}
        mine = (identifier.c.system == system) & (identifier.c.value == names.c.value)
        for value, who in gather(db, own.join_from(names, identifier, mine), told):
            found[f"{system}:{value}"].append(who)
    return found


def oldest(names: sa.FromClause, table: sa.Table, named: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Each name with the key of the oldest of the contacts that have it in *table*.

    As a question about each name: of a join SQLite looks through *table* first, all of it.
    """
    first = sa.select(sa.func.min(table.c.contact_id)).where(named).correlate(names).scalar_subquery()
    return sa.select(names.c.value, contact.c.key).join_from(names, contact, contact.c.id == first)


def at_address(db: sa.Connection, names: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether an address is the one of *names*, on whatever channel."""
    return address.c.channel.in_(_channels(db)) & (address.c.value == names.c.value)


def _channels(db: sa.Connection) -> list[str]:
    """Return the channels that addresses are on: few, so that an address is looked up in the index on each of them."""
    first = sa.select(sa.func.min(address.c.channel).label("name"))
    found = first.cte("found", recursive=True)
    later = sa.select(sa.func.min(address.c.channel)).where(address.c.channel > found.c.name).scalar_subquery()
    found = found.union_all(sa.select(later).where(found.c.name.is_not(None)))
    return [name for name in db.scalars(sa.select(found.c.name)) if name is not None]


def ids(db: sa.Connection, keys: Sequence[str]) -> dict[str, int]:
    names = listed(db)
    ask = sa.select(contact.c.key, contact.c.id).join_from(names, contact, contact.c.key == names.c.value)
    return dict(gather(db, ask, keys))
