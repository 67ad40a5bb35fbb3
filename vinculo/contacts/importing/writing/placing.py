"""Where contacts are reached, what other systems call them and their tags: only what is not there yet is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, compress
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from vinculo.consent import Hasher, address_hash
from vinculo.contacts.importing.row.draft import Draft
from vinculo.contacts.importing.writing.known import Known
from vinculo.db.bulk import gather, listed, put
from vinculo.db.tables import address, identifier, tag

#: Contact and channel → the addresses there and their places.
Held = Mapping[tuple[int, str], Mapping[str, int]]
_PLACED = "(contact_id, channel, value) DO UPDATE SET position = excluded.position"
_MANY = {table: tuple(column.name for column in table.primary_key) for table in (identifier, tag)}


def place(
    db: sa.Connection,
    new: Mapping[int, Draft],
    old: Mapping[int, Draft],
    known: Sequence[Known],
    signer: Hasher,
    at: int,
) -> tuple[set[int], Held]:
    """Add what drafts of *new* and *old* contacts, by their ids, and *known* bring; return of which contacts, and where
    those that are there were reached before.
    """
    drafts, owners = {**old, **new}, [*old, *chain.from_iterable(each.ids for each in known)]
    held = reached(db, owners)
    brought = [*_reached(drafts, held), *chain.from_iterable(_moved(each, held) for each in known)]
    brought.sort(key=itemgetter(2))  # neighbours in the index of addresses lie together
    lines = [(who, on, value, address_hash(signer, on, value), where, at) for who, on, value, where in brought]
    put(db, address, ("contact_id", "channel", "value", "hash", "position", "added_at"), lines, _PLACED)
    names = [(who, *name) for who, each in drafts.items() for name in sorted({*each.called, *each.identifiers.items()})]
    tags = [(who, name) for who, each in drafts.items() if each.tags for name in sorted(each.tags)]
    for each in known:
        for (system,), column in each.of("id").items():
            names += [(who, system, value) for who, value in zip(each.ids, column, strict=True) if value]
        column = each.said.get(("tags",), ())
        tags += [(who, name) for who, given in zip(each.ids, column, strict=False) for name in given]
    added = [_add(db, identifier, names, owners), _add(db, tag, tags, owners)]
    return {line[0] for line in chain(lines, *added)}, held


def _add(db: sa.Connection, table: sa.Table, lines: list[tuple[Any, ...]], owners: Sequence[int]) -> list[Any]:
    """Add those of *lines* that *owners* do not have, and return them."""
    if lines and owners:
        names = listed(db)
        mine = table.c.contact_id == sa.cast(names.c.value, sa.BigInteger)
        ask = sa.select(*(table.c[name] for name in _MANY[table])).join_from(names, table, mine)
        had = set(map(tuple, gather(db, ask, map(str, owners))))
        lines = [line for line in lines if line not in had]
    put(db, table, _MANY[table], lines)
    return lines


def _reached(drafts: Mapping[int, Draft], held: Held) -> Iterator[tuple[int, str, str, int]]:
    """Contact, channel, address and place of the addresses that are new or change their place."""
    for owner, draft in drafts.items():
        named: dict[str, list[str]] = defaultdict(list)
        for each in draft.addresses:
            named[each.channel].append(each.value)
        for channel, values in named.items():
            yield from _placed(owner, channel, values, held)


def _moved(known: Known, held: Held) -> Iterator[tuple[int, str, str, int]]:
    """As `_reached`, of rows of a lot."""
    for (channel,), column in known.of("address").items():
        for owner, value in compress(zip(known.ids, column, strict=True), column):
            if held.get((owner, channel)) != {value: 0}:
                yield from _placed(owner, channel, [value], held)


def _placed(owner: int, channel: str, values: Sequence[str], held: Held) -> Iterator[tuple[int, str, str, int]]:
    """What the file names on a channel comes before what we had there."""
    had = held.get((owner, channel), {})
    for where, value in enumerate([*values, *(value for value in had if value not in values)]):
        if had.get(value) != where:
            yield owner, channel, value, where


def reached(db: sa.Connection, owners: Sequence[int]) -> Held:
    """Where *owners* are reached."""
    held: dict[tuple[int, str], dict[str, int]] = {}
    if not owners:
        return held
    names, a = listed(db), address.c
    mine = a.contact_id == sa.cast(names.c.value, sa.BigInteger)
    ask = sa.select(a.contact_id, a.channel, a.value, a.position).join_from(names, address, mine)
    for owner, channel, value, where in gather(db, ask.order_by(a.position, a.id), map(str, owners)):
        held.setdefault((owner, channel), {})[value] = where
    return held
