"""Writing a lot of new contacts: rows that are there for nobody else to have written, a table at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain, compress, islice, repeat
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.consent import Hasher, address_hashes
from vinculo.contacts.known import tells
from vinculo.contacts.lot import PERSON, PROOF, Column, Lot
from vinculo.db.bulk import add, numbers
from vinculo.db.tables import address, contact, identifier, micros, tag
from vinculo.model import ContactKind

_ADDRESS = ("contact_id", "channel", "value", "hash", "position", "added_at")


def lay(db: sa.Connection, lots: Sequence[Lot], signer: Hasher, now: datetime, source: str) -> None:
    """Write the contacts of *lots*, none of which is there. Raises `sa.exc.IntegrityError` if one is after all."""
    if not any(lot.keys for lot in lots):
        return
    at, ids = micros(now), iter(numbers(db, contact, sum(len(lot.keys) for lot in lots)))
    each = [(lot, list(islice(ids, len(lot.keys)))) for lot in lots]
    else_ = {"kind": ContactKind.CUSTOMER.value, "source": source}
    told = [name for name in PERSON if name in else_ or any(tells(name, lot.columns["person", name]) for lot in lots)]
    people = (
        zip(mine, *(_filled(lot.columns["person", n], else_.get(n)) for n in told), repeat(at), strict=False)
        for lot, mine in each
    )
    add(db, contact, ("id", *told, "updated_at"), chain.from_iterable(people))
    reached = (_reached(names[0], mine, values, signer, at) for _, mine, names, values in _columns(each, "address"))
    add(db, address, _ADDRESS, chain.from_iterable(reached))
    known = [
        (who, names[0], value)
        for _, mine, names, values in _columns(each, "id")
        for who, value in zip(mine, values, strict=True)
        if value
    ]
    add(db, identifier, ("contact_id", "system", "value"), known)
    tagged = (zip(mine, lot.columns.get(("tags",), ()), strict=False) for lot, mine in each)
    add(db, tag, ("contact_id", "name"), [(who, name) for who, names in chain.from_iterable(tagged) for name in names])
    said = (_said(names, mine, values, lot, at, source) for lot, mine, names, values in _columns(each, "consent"))
    consent.record_new(db, list(chain.from_iterable(said)))


def _columns(
    each: Sequence[tuple[Lot, list[int]]], family: str
) -> Iterator[tuple[Lot, list[int], tuple[str, ...], Column]]:
    return ((lot, mine, names, values) for lot, mine in each for names, values in lot.of(family).items())


def _filled(column: Column, empty: str | None) -> Column:
    """*column* with *empty*, if there is such a thing, where it says nothing."""
    return column if empty is None else [each or empty for each in column]


def _reached(channel: str, ids: Sequence[int], values: Column, signer: Hasher, at: int) -> Iterator[tuple[Any, ...]]:
    there = list(filter(None, values))
    hashes = address_hashes(signer, channel, there)
    return zip(compress(ids, values), repeat(channel), there, hashes, repeat(0), repeat(at), strict=False)


def _said(
    about: tuple[str, ...], ids: Sequence[int], said: Column, lot: Lot, at: int, source: str
) -> Iterator[consent.Line]:
    """The lines of `consent` about a channel and topic. What nobody dated is as of now; a no never ends."""
    told = [answer is not None for answer in said]
    answers = list(compress(said, told))
    proof = lot.of("proof")
    dated, sources, bases, hashes, ends = (list(compress(proof[name,], told)) for name in PROOF)
    return zip(
        compress(ids, told),
        repeat(about[0]),
        repeat(about[1]),
        answers,
        [at if each is None else each for each in dated],
        [each or source for each in sources],
        [each or ("consent" if yes else "") for each, yes in zip(bases, answers, strict=True)],
        hashes,
        [each if yes else None for each, yes in zip(ends, answers, strict=True)],
        strict=False,
    )
