"""Rows of a file that bring back an address of somebody who was erased: told, so that nobody comes back unnoticed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sa

from vinculo.consent import ERASURE, Hasher, address_hashes
from vinculo.contacts.importing.row.draft import Draft
from vinculo.contacts.importing.row.lot import Lot
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
        found = set[int]()
        for channel, told in _told(lots, drafts).items():
            hashes = address_hashes(signer, channel, [value for _, value in told])
            found.update(line for (line, _), hashed in zip(told, hashes, strict=True) if hashed in self._hashes)
        return tuple(sorted(found))


def _told(lots: Iterable[Lot], drafts: Iterable[Draft]) -> dict[str, list[tuple[int, str]]]:
    """Lines and addresses by channel."""
    told: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for draft in drafts:
        for each in draft.addresses:
            told[each.channel].append((draft.line, each.value))
    for lot in lots:
        for (channel,), column in lot.of("address").items():
            rows = zip(lot.places, column, strict=True)
            told[channel] += ((lot.chunk.lines[at], value) for at, value in rows if value)
    return told
