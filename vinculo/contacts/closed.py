"""A no holds for everybody at the address: for whoever an import brings in with it, in whatever order its rows come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from vinculo import consent as consents
from vinculo.consent import Consent
from vinculo.contacts.lot import Lot
from vinculo.db.tables import address, consent, permission


class Closed:
    """The addresses that have ever said no; of each 8 bytes are kept. What has said yes since is looked at closely, and
    that is all.
    """

    def __init__(self) -> None:
        self._seen, self._values = 0, set[int]()

    def learn(self, db: sa.Connection) -> int:
        """Take in what has been said since the last time, and return the newest line of `consent`."""
        newest = db.scalar(sa.select(sa.func.coalesce(sa.func.max(consent.c.id), 0))) or 0
        if newest > self._seen:
            self._values.update(map(hash, db.scalars(_told(self._seen).with_only_columns(address.c.value))))
            self._seen = newest
        return newest

    def among(self, lots: Iterable[Lot]) -> set[str]:
        """The names in *lots* of those who answer, and have an address that has said no."""
        if not self._values:
            return set()
        columns = [(lot.keys, column) for lot in lots if lot.of("consent") for column in lot.of("address").values()]
        closed = self._values
        return {
            key for keys, column in columns for key, value in zip(keys, column, strict=True) if hash(value) in closed
        }


def take_along(db: sa.Connection, said: int, now: datetime, source: str) -> int:
    """Record the noes after line *said* of `consent` for who else has the address, and return how many yeses that ends.

    A yes stands that is dated after the no. What nobody dated is as of *now*, and knows nothing of an earlier no.
    """
    other, live, no = address.alias("other").c, permission.c, consent.c
    told = _told(said).subquery("told").c
    topic = (told.topic == "") | (told.topic == live.topic)
    older = (live.at <= told.at) | (live.at == now)
    ask = (
        sa.select(live.contact_id, live.channel, live.topic, live.at, sa.func.max(told.at, type_=no.at.type))
        .where(other.channel == told.channel, other.value == told.value, other.contact_id != told.contact_id)
        .where(live.contact_id == other.contact_id, live.channel == other.channel, live.granted, topic, older)
        .group_by(live.contact_id, live.channel, live.topic, live.at)
        .order_by(live.contact_id, live.channel, live.topic)
    )
    rows = [
        Consent(who, channel, about, granted=False, at=max(yes, end), source=source)
        for who, channel, about, yes, end in db.execute(ask)
    ]
    consents.record_many(db, rows)
    return len(rows)


def _told(since: int) -> sa.Select[tuple[int, str, str, str, datetime]]:
    """The noes after line *since* of `consent`, with the addresses on whose channel they were said."""
    no, a = consent.c, address.c
    said = (a.contact_id == no.contact_id) & (a.channel == no.channel)
    return sa.select(no.contact_id, no.channel, a.value, no.topic, no.at).where(no.id > since, ~no.granted, said)
