"""A no holds for everybody at the address: for whoever an import brings in with it, in whatever order its rows come.

These questions are asked with each batch, so each names the rows that it is about: a join with all that was ever said
would take longer with every batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import compress
from typing import Any

import sqlalchemy as sa

from vinculo import consent as consents
from vinculo.consent import Consent
from vinculo.contacts.importing.row.draft import About
from vinculo.contacts.importing.row.lot import Lot
from vinculo.contacts.importing.writing.tally import Met
from vinculo.db.tables import address, consent, permission

#: Ids or addresses in one statement.
_STEP = 1_000


class Closed:
    """The addresses that have ever said no: of each a hash, which takes some 70 bytes. What has said yes since is
    looked at closely, and that is all.
    """

    def __init__(self) -> None:
        self._seen, self._values = 0, set[int]()
        #: The newest line of `consent` after the last batch but one, and after the last.
        self._followed: tuple[int, int] | None = None
        #: The lines of `consent` that batches have written of new contacts: what said no is known of them.
        self._laid: list[range] = []
        #: The transactions of PostgreSQL's that have written batches.
        self._ours: list[str] = []
        #: Of whom the file says an undated no that is not recorded, for an older one is on record.
        self.again = defaultdict[About, Met](Met)

    def learn(self, db: sa.Connection) -> None:
        """Take in what has been said since the last time."""
        newest = _newest(db)
        if self._followed is None:
            self._followed = newest, newest
        if newest > self._seen:
            self.add(_noes(db, self._between(self._seen) & (consent.c.id <= newest)))
            self._seen = newest

    def laid(self, lines: range, lots: Iterable[Lot]) -> None:
        """What the new contacts of *lots* say has been written as these *lines* of `consent`."""
        if lines:
            self._laid.append(lines)
            self.add(value for _, value, _ in _saying_no(lots))

    def _between(self, since: int) -> sa.ColumnElement[bool]:
        """The lines of `consent` after *since*, but those `laid`, which are most: they are not looked through again."""
        line, parts = consent.c.id, list[sa.ColumnElement[bool]]()
        for laid in self._laid:
            if laid.start > since + 1:
                parts.append((line > since) & (line < laid.start))
            since = max(since, laid.stop - 1)
        return sa.or_(*parts, line > since)

    def follow(self, db: sa.Connection, now: datetime, source: str) -> int:
        """Have the noes that others have said since the last time end what batches bring in; return how many yeses.

        On PostgreSQL somebody may leave while a batch brings in another with the same address. For whoever was there
        the no has been heard. A yes stands that is dated after the no. What nobody dated is as of *now*, and knows
        nothing of an earlier no. The noes since the batch before are asked for again: one that was being written may
        be seen late, with a number from before.
        """
        if db.dialect.name != "postgresql" or self._followed is None:
            return 0
        (since, last), newest = self._followed, _newest(db)
        self._followed = last, newest
        self._laid = [lines for lines in self._laid if lines.stop > since]
        self._ours.append(db.scalar(sa.text("SELECT pg_current_xact_id()::xid::text")))
        noes, a = _noes_of_others(db, self._between(since), self._ours), address.c
        where = sa.select(a.contact_id, a.channel, a.value)
        there = list(_about(db, where, a.contact_id, [who for who, *_ in noes]))
        self.add(value for *_, value in there)
        ended = list(_ended(db, noes, there, frozenset(self._ours), now, source))
        consents.record_many(db, ended, now=now)
        return len(ended)

    def has(self, value: str) -> bool:
        """Whether somebody at that address has said no."""
        return hash(value) in self._values

    def add(self, values: Iterable[str]) -> None:
        """At *values*, too, is somebody who has said no."""
        self._values.update(map(hash, values))

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


def _newest(db: sa.Connection) -> int:
    return db.scalar(sa.select(sa.func.coalesce(sa.func.max(consent.c.id), 0))) or 0


def _noes_of_others(db: sa.Connection, lines: sa.ColumnElement[bool], ours: Sequence[str]) -> list[Any]:
    """Contact, channel, topic and date of each no among *lines* of `consent`, but those that *ours* wrote."""
    no = consent.c
    others = sa.text("consent.xmin::text <> ALL (:ours)").bindparams(ours=list(ours))
    ask = sa.select(no.contact_id, no.channel, no.topic, no.at).where(lines, ~no.granted, others)
    return list(db.execute(ask))


def _ended(
    db: sa.Connection,
    noes: Sequence[Any],
    there: Sequence[Any],
    ours: Collection[str],
    now: datetime,
    source: str,
) -> Iterator[Consent]:
    """The yeses of others at the addresses *there* that *noes* end, as noes, where *ours* wrote yes or address."""
    givers = defaultdict[tuple[str, str], set[int]](set)
    for who, *place in there:
        givers[place[0], place[1]].add(who)
    said = defaultdict[tuple[int, str], list[tuple[str, datetime]]](list)
    for who, channel, topic, at in noes:
        said[who, channel].append((topic, at))
    heard = defaultdict[tuple[int, str], list[tuple[str, datetime, bool]]](list)
    for other, channel, value, writer in at_addresses(db, givers, _writer(address)):
        for who in givers[channel, value] - {other}:
            heard[other, channel] += ((*each, writer in ours) for each in said[who, channel])
    live = permission.c
    ask = sa.select(live.contact_id, live.channel, live.topic, live.at, _writer(permission)).where(live.granted)
    for who, channel, about, yes, writer in _about(db, ask, live.contact_id, [who for who, _ in heard]):
        mine = [at for topic, at, fresh in heard[who, channel] if topic in {"", about} and (fresh or writer in ours)]
        if ends := [at for at in mine if yes <= at or yes == now]:
            yield Consent(who, channel, about, granted=False, at=max(yes, *ends), source=source)


def _writer(table: sa.Table) -> sa.ColumnElement[str]:
    """The transaction of PostgreSQL's that wrote a row of *table*."""
    return sa.literal_column(f"{table.name}.xmin::text", sa.Text)


def _noes(db: sa.Connection, lines: sa.ColumnElement[bool]) -> Iterator[str]:
    """The addresses, on its channel, of who says each no among *lines* of `consent`."""
    no, a = consent.c, address.c
    ask = sa.select(no.contact_id, no.channel).where(lines, ~no.granted)
    said = {tuple(row) for row in db.execute(ask)}
    there = _about(db, sa.select(a.contact_id, a.channel, a.value), a.contact_id, [who for who, _ in said])
    return (value for who, channel, value in there if (who, channel) in said)


def at_addresses(db: sa.Connection, told: Iterable[tuple[str, str]], *more: sa.ColumnElement[Any]) -> Iterator[Any]:
    """Contact, channel, address and *more* of all who have one of the addresses *told*: channels and values."""
    values, a = defaultdict(list), address.c
    for channel, value in told:
        values[channel].append(value)
    for channel, those in values.items():
        ask = sa.select(a.contact_id, a.channel, a.value, *more).where(a.channel == channel)
        yield from _about(db, ask, a.value, those)


def contested(db: sa.Connection, lots: Sequence[Lot]) -> set[str]:
    """The names in *lots* of those who say no where another is reached, and of the others in *lots*."""
    told: dict[str, dict[str, str]] = defaultdict(dict)
    for channel, value, key in _saying_no(lots):
        told[channel][value] = key
    there = at_addresses(db, ((channel, value) for channel, values in told.items() for value in values))
    found = {told[channel][value] for _, channel, value in there}
    for lot in lots if told else ():
        for (channel,), column in lot.of("address").items():
            noes = told[channel]
            named = ((key, noes[value]) for key, value in zip(lot.keys, column, strict=True) if value in noes)
            found.update(key for pair in named if pair[0] != pair[1] for key in pair)
    return found


def _saying_no(lots: Iterable[Lot]) -> Iterator[tuple[str, str, str]]:
    """Channel, address and name of whoever in *lots* says no there."""
    for lot in lots:
        reached = lot.of("address")
        for (channel, _), answers in lot.of("consent").items():
            if False in answers and (column := reached.get((channel,))):
                said = [answer is False for answer in answers]
                yield from (
                    (channel, value, key)
                    for value, key in zip(compress(column, said), compress(lot.keys, said), strict=True)
                    if value
                )


def _about(
    db: sa.Connection, ask: sa.Select[Any], column: sa.ColumnElement[Any], those: Iterable[Any]
) -> Iterator[Any]:
    """The rows of *ask* whose *column* is one of *those*."""
    named = sorted(set(those))
    for start in range(0, len(named), _STEP):
        yield from db.execute(ask.where(column.in_(named[start : start + _STEP])))
