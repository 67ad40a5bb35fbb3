"""What foreign purchases are worth in the project's currency, at the rate of their day; and those without a rate."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo.db.note import keep_note, noted
from vinculo.db.statement import Statement, given, id_of
from vinculo.db.tables import interaction
from vinculo.history import bought
from vinculo.model import Money, decimals
from vinculo.project import Rates

_NOTE = "rates"
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Unrated:
    """Purchases that no rate covers: how many, what they come to in their *currency*, the day of the first."""

    currency: str
    purchases: int
    amount: str
    since: date

    @property
    def said(self) -> str:
        """How many, of what."""
        word = "purchase" if self.purchases == 1 else "purchases"
        return f"{self.purchases:,} {word} in {self.currency} ({self.amount})"

    @property
    def remedy(self) -> str:
        """What to write, and where."""
        return f"Add a line `{self.since},{self.currency},…` to plan/rates.csv, and score again."


def convert(db: sa.Connection, rates: Rates, zone: str) -> int:
    """Work out the worth of every foreign purchase that has none, and of all when a rate has changed; returns how many.

    A purchase's day is the one in *zone*, the company's.
    """
    if _renewed(db, rates, zone):
        keep_note(db, _NOTE, _told(rates, zone))
        if _any_worth(db):
            db.execute(sa.update(interaction).where(bought(), interaction.c.worth.is_not(None)).values(worth=None))
    found = 0
    for known in _rated(db, rates, zone):
        _KEEP.run(db, given=known)
        found += len(known)
    return found


def pending(db: sa.Connection, rates: Rates, zone: str) -> bool:
    """Whether `convert` would write the worth of a purchase anew. Changes nothing."""
    return (_renewed(db, rates, zone) and _any_worth(db)) or any(True for _ in _rated(db, rates, zone))


def _rated(db: sa.Connection, rates: Rates, zone: str) -> Iterator[dict[int, int]]:
    """The purchases without a worth that a rate covers, in batches: what each is worth, by its number."""
    row, home = interaction.c, ZoneInfo(zone)
    ask = sa.select(row.id, row.at, row.amount, row.currency).where(bought(), row.worth.is_(None))
    ask = ask.where(row.currency.not_in([rates.home, ""]), row.amount.is_not(None))
    for batch in db.execute(ask).partitions(_BATCH):
        worth = {each.id: rates.worth(Money(each.amount, each.currency), _day(each.at, home)) for each in batch}
        known = {number: minor for number, minor in worth.items() if minor is not None}
        if known:
            yield known


def unrated(db: sa.Connection, currency: str, zone: str, now: datetime) -> Sequence[Unrated]:
    """Return the purchases up to *now* whose currency has no rate on or before their day, by currency."""
    row = interaction.c
    ask = (
        sa.select(row.currency, sa.func.count(), sa.func.sum(row.amount), sa.func.min(row.at))
        .where(bought(), row.currency.not_in([currency, ""]), row.worth.is_(None), row.amount.is_not(None))
        .where(row.at <= now)
        .group_by(row.currency)
        .order_by(row.currency)
    )
    return [
        Unrated(name, number, f"{Money(int(total), name).amount:,.{decimals(name)}f}", _day(first, ZoneInfo(zone)))
        for name, number, total, first in db.execute(ask)
    ]


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def _renewed(db: sa.Connection, rates: Rates, zone: str) -> bool:
    """Whether the worths that are kept come from other rates."""
    return noted(db, _NOTE) != _told(rates, zone)


def _told(rates: Rates, zone: str) -> str:
    return hashlib.sha256(f"{rates}\n{zone}".encode()).hexdigest()


def _any_worth(db: sa.Connection) -> bool:
    return bool(db.scalar(sa.select(sa.exists().where(bought(), interaction.c.worth.is_not(None)))))


def _keep() -> Any:
    rows = given()
    worth = sa.cast(sa.cast(rows.c.value, sa.Text), sa.BigInteger)
    return sa.update(interaction).where(interaction.c.id == id_of(rows)).values(worth=worth)


_KEEP = Statement(_keep)
