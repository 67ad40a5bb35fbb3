"""Rows of a file that bring back an address of somebody who was erased: told, so that nobody comes back unnoticed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from vinculo.consent import ERASURE, Hasher, address_hash
from vinculo.contacts.draft import Draft
from vinculo.contacts.lot import Lot
from vinculo.db.tables import contact, suppression


class Erased:
    """The addresses of who was erased, by the keyed hashes that are left of them."""

    def __init__(self) -> None:
        self._gone, self._hashes = 0, set[str]()

    def learn(self, db: sa.Connection) -> None:
        """Take in who has been erased since the last time."""
        gone = db.scalar(sa.select(sa.func.count()).where(contact.c.erased_at.is_not(None))) or 0
        if gone != self._gone:
            ask = sa.select(suppression.c.address_hash).where(suppression.c.reason == ERASURE)
            self._gone, self._hashes = gone, set(db.scalars(ask))

    def lines(self, lots: Iterable[Lot], drafts: Iterable[Draft], signer: Hasher) -> tuple[int, ...]:
        """The lines of the rows in *lots* and *drafts* with such an address."""
        if not self._hashes:
            return ()
        told = [*_laid(lots), *((draft.line, each.channel, each.value) for draft in drafts for each in draft.addresses)]
        erased = {line for line, channel, value in told if address_hash(signer, channel, value) in self._hashes}
        return tuple(sorted(erased))


def _laid(lots: Iterable[Lot]) -> Iterator[tuple[int, str, str]]:
    """Line, channel and value of each address in *lots*."""
    for lot in lots:
        for (channel,), column in lot.of("address").items():
            for at, value in zip(lot.places, column, strict=True):
                if value:
                    yield lot.chunk.lines[at], channel, value
