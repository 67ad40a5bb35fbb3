"""A no holds for everybody at the address: for whoever an import brings in with it, in whatever order its rows come.

These questions are asked with each batch, so each names the rows that it is about: a join with all that was ever said
would take longer with every batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo import consent as consents
from vinculo.consent import Consent
from vinculo.contacts.importing.row.lot import Lot
from vinculo.db.tables import address, consent, permission

#: Ids or addresses in one statement.
_STEP = 1_000


class Closed:
    """The addresses that have ever said no; of each 8 bytes are kept. What has said yes since is looked at closely, and
    that is all.
    """

    def __init__(self) -> None:
        self._seen, self._values = 0, set[int]()

    def learn(self, db: sa.Connection) -> int:
        """Take in what has been said since the last time, and return the newest line of `consent`."""
        newest = _newest(db)
        if newest > self._seen:
            self._values.update(hash(value) for *_, values in _noes(db, self._seen, newest) for value in values)
            self._seen = newest
        return newest

    def among(self, lots: Iterable[Lot]) -> set[str]:
        """The names in *lots* of those who answer, and have an address that has said no."""
        if not self._values:
            return set()
        closed, found = self._values, set[str]()
        for lot in lots:
            for column in lot.of("address").values() if lot.of("consent") else ():
                if not closed.isdisjoint(map(hash, column)):  # most lots name none of them
                    found.update(key for key, value in zip(lot.keys, column, strict=True) if hash(value) in closed)
        return found


def shut(db: sa.Connection, told: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of *told*, channels and addresses, that a contact has who says no on that channel."""
    owners, live = list(_owners(db, told)), permission.c
    ask = sa.select(live.contact_id, live.channel).where(~live.granted)
    noes = {tuple(row) for row in _about(db, ask, live.contact_id, [who for who, *_ in owners])}
    return {(channel, value) for who, channel, value in owners if (who, channel) in noes}


def take_along(db: sa.Connection, said: int, now: datetime, source: str) -> int:
    """Record the noes after line *said* of `consent` for who else has the address, and return how many yeses that ends.

    A yes stands that is dated after the no. What nobody dated is as of *now*, and knows nothing of an earlier no.
    """
    told: dict[tuple[str, str], list[tuple[int, str, datetime]]] = defaultdict(list)
    for who, channel, topic, at, values in _noes(db, said, _newest(db)):
        for value in values:
            told[channel, value].append((who, topic, at))
    heard: dict[tuple[int, str], list[tuple[str, datetime]]] = defaultdict(list)
    for other, channel, value in _owners(db, told):
        heard[other, channel] += [(topic, at) for who, topic, at in told[channel, value] if who != other]
    live = permission.c
    ask = sa.select(live.contact_id, live.channel, live.topic, live.at).where(live.granted)
    rows = []
    for who, channel, topic, yes in _about(db, ask, live.contact_id, [who for (who, _), noes in heard.items() if noes]):
        ends = [at for about, at in heard[who, channel] if about in {"", topic} and (yes <= at or yes == now)]
        if ends:
            rows.append(Consent(who, channel, topic, granted=False, at=max(yes, *ends), source=source))
    consents.record_many(db, rows)
    return len(rows)


def _newest(db: sa.Connection) -> int:
    return db.scalar(sa.select(sa.func.coalesce(sa.func.max(consent.c.id), 0))) or 0


def _noes(db: sa.Connection, since: int, until: int) -> list[tuple[int, str, str, datetime, list[str]]]:
    """Of each no after line *since* of `consent`, up to *until*: who, channel, topic, when, and the addresses there."""
    no, a = consent.c, address.c
    ask = sa.select(no.contact_id, no.channel, no.topic, no.at).where(no.id > since, no.id <= until, ~no.granted)
    noes = db.execute(ask.order_by(no.id)).all()
    there: dict[tuple[int, str], list[str]] = defaultdict(list)
    for who, channel, value in _about(
        db, sa.select(a.contact_id, a.channel, a.value), a.contact_id, [n[0] for n in noes]
    ):
        there[who, channel].append(value)
    return [(who, channel, topic, at, there[who, channel]) for who, channel, topic, at in noes]


def _owners(db: sa.Connection, told: Iterable[tuple[str, str]]) -> Iterator[Any]:
    """Contact, channel and address of all who have one of the addresses *told*, which are channels and values."""
    values, a = defaultdict(list), address.c
    for channel, value in told:
        values[channel].append(value)
    for channel, those in values.items():
        yield from _about(db, sa.select(a.contact_id, a.channel, a.value).where(a.channel == channel), a.value, those)


def _about(
    db: sa.Connection, ask: sa.Select[Any], column: sa.ColumnElement[Any], those: Iterable[Any]
) -> Iterator[Any]:
    """The rows of *ask* whose *column* is one of *those*."""
    named = sorted(set(those))
    for start in range(0, len(named), _STEP):
        yield from db.execute(ask.where(column.in_(named[start : start + _STEP])))
