"""Writing a lot of new contacts: rows that are there for nobody else to have written, a table at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import compress, repeat
from typing import Any

import sqlalchemy as sa

from vinculo import consent
from vinculo.consent import Hasher, address_hashes
from vinculo.contacts.lot import PERSON, PROOF, Column, Lot
from vinculo.db.bulk import add, numbers
from vinculo.db.tables import address, contact, identifier, micros, tag

_ADDRESS = ("contact_id", "channel", "value", "hash", "position", "added_at")


def lay(db: sa.Connection, lot: Lot, signer: Hasher, now: datetime, source: str) -> None:
    """Write the contacts of *lot*, none of which is there. Raises `sa.exc.IntegrityError` if one is after all."""
    at, ids = micros(now), numbers(db, contact, len(lot.keys))
    person = lot.of("person")
    lines = zip(ids, *(person[name,] for name in PERSON), repeat(at), strict=False)
    add(db, contact, ("id", *PERSON, "updated_at"), list(lines))
    reached = [
        line for names, values in lot.of("address").items() for line in _reached(names[0], ids, values, signer, at)
    ]
    add(db, address, _ADDRESS, reached)
    systems = lot.of("id").items()
    known = [
        (who, names[0], value) for names, values in systems for who, value in zip(ids, values, strict=True) if value
    ]
    add(db, identifier, ("contact_id", "system", "value"), known)
    tags = lot.columns.get(("tags",), ())
    add(db, tag, ("contact_id", "name"), [(who, name) for who, names in zip(ids, tags, strict=False) for name in names])
    answers = lot.of("consent").items()
    consent.record_new(db, [line for about, said in answers for line in _said(about, ids, said, lot, at, source)])


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
