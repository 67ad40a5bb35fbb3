"""Addresses never to be written to again, by the keyed hashes that are kept of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from vinculo.db.bulk import chunks
from vinculo.db.insert import insert
from vinculo.db.tables import suppression
from vinculo.hashing import Hashing

#: The reason of a suppression after several soft bounces in a row.
SOFT_BOUNCES = "soft_bounces"
#: The reason of a suppression by `contacts erase`: imports tell who comes back.
ERASURE = "erasure"


class Hasher(Protocol):
    """What we need of `vinculo.signing.Signer`."""

    @property
    def hashing(self) -> Hashing:
        """What hashes as this does, and can do nothing else."""

    def hash(self, *parts: str) -> str:
        """Return a keyed hash of *parts*."""

    def hashes(self, *first: str, last: Sequence[str]) -> list[str]:
        """Return `hash(*first, each)` of each of *last*."""


def address_hash(signer: Hasher, channel: str, value: str) -> str:
    """Return what the suppression list holds of an address; *value* is normalised."""
    return signer.hash("address", channel, value)


def address_hashes(signer: Hasher, channel: str, values: Sequence[str]) -> list[str]:
    """Return `address_hash` of each of *values*."""
    return signer.hashes("address", channel, last=values)


def suppress(db: sa.Connection, channel: str, address_hash: str, reason: str, source: str, at: datetime) -> None:
    """Never write to that address again. The first cause stays, whichever arrives first.

    Erasure is the strongest cause, for who was forgotten is to be known as such. Soft bounces are the weakest: every
    other takes their place, for only they can be lifted again.
    """
    row = {"channel": channel, "address_hash": address_hash, "reason": reason, "source": source, "at": at}
    statement = insert(db, suppression).values(row)
    new, old = statement.excluded, suppression.c
    ranks = {ERASURE: 0, SOFT_BOUNCES: 2}
    new_rank, old_rank = (sa.case(ranks, value=cause.reason, else_=1) for cause in (new, old))
    stronger = sa.tuple_(new_rank, new.at, new.reason) < sa.tuple_(old_rank, old.at, old.reason)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["channel", "address_hash"],
            set_={"reason": new.reason, "source": new.source, "at": new.at},
            where=stronger,
        )
    )


def lift_soft_bounces(db: sa.Connection, channel: str, address_hash: str) -> None:
    """Take an address off the suppression list if nothing but soft bounces put it there."""
    row = suppression.c
    db.execute(
        sa.delete(suppression).where(
            row.channel == channel, row.address_hash == address_hash, row.reason == SOFT_BOUNCES
        )
    )


def suppressed(db: sa.Connection, channel: str, hashes: Collection[str]) -> dict[str, str]:
    """Return the reason of each of *hashes* that is on the suppression list."""
    row = suppression.c
    ask = sa.select(row.address_hash, row.reason).where(row.channel == channel)
    return {
        name: reason
        for chunk in chunks(sorted(hashes))
        for name, reason in db.execute(ask.where(row.address_hash.in_(chunk)))
    }
