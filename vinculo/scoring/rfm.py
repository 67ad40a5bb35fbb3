"""Recency, frequency and monetary value: the cuts between the fifths of all buyers, then contacts span by span."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple

import sqlalchemy as sa

from vinculo.db.insert import insert
from vinculo.db.tables import contact, interaction, micros, score
from vinculo.history import bought, worth

DAY = 86_400_000_000


class Span(NamedTuple):
    """Contacts from one id to another, both included: what one transaction scores."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where the next fifth begins: whole days since the last purchase, number of purchases, value; and of how many."""

    r: Sequence[int] = ()
    f: Sequence[int] = ()
    m: Sequence[int] = ()
    buyers: int = 0


#: What `purchases` can tell.
_SUMS = ("frequency", "value", "first", "last", "unrated")


def purchases(
    now: datetime, currency: str, span: Span | None = None, every: int = 1, told: Sequence[str] = _SUMS
) -> sa.Subquery:
    """Per contact: purchases, their value in *currency*, first and last instant, and how many have no rate.

    Of the contacts of *span*, if given, and of one in *every*; *told* of these columns, each of which costs time. An
    amount below nothing is a refund: it lowers the value and is no purchase. What has no rate adds no value.
    """
    row = interaction.c
    at = sa.type_coerce(row.at, sa.BigInteger)
    paid, value = sa.func.coalesce(row.amount, 0) >= 0, worth(currency)
    sums = {
        "frequency": sa.func.count().filter(paid),
        "value": sa.cast(sa.func.coalesce(sa.func.sum(value), 0), sa.BigInteger),
        "first": sa.func.min(at).filter(paid),
        "last": sa.func.max(at).filter(paid),
        "unrated": sa.func.count().filter(value.is_(None)),
    }
    found = sa.select(row.contact_id, *(sums[name].label(name) for name in told)).where(bought(), row.at <= now)
    if span is not None:
        found = found.where(row.contact_id.between(*span))
    if every > 1:
        found = found.where(row.contact_id % every == 0)
    return found.group_by(row.contact_id).subquery("purchases")


def cuts(db: sa.Connection, now: datetime, currency: str) -> Cuts:
    """Find where the fifths of all buyers begin."""
    every = purchases(now, currency, told=("frequency", "value", "last")).c
    age = _whole(sa.literal(micros(now), sa.BigInteger) - every.last, DAY)
    buyers = sa.select(-age, every.frequency, every.value).where(every.frequency > 0)
    # Summed up once, and counted by the database: a million rows take longer to fetch than to count.
    named = buyers.cte("buyers").prefix_with("MATERIALIZED")
    counts = [
        sa.select(sa.literal_column(str(place)), column, sa.func.count()).group_by(column)
        for place, column in enumerate(named.c)
    ]
    found: list[dict[int, int]] = [{}, {}, {}]
    for place, value, number in db.execute(sa.union_all(*counts)):
        found[place][value] = number
    recent, often, spent = found
    return Cuts([-begins for begins in fifths(recent)], fifths(often), fifths(spent), sum(often.values()))


def fifths(counts: Mapping[int, int]) -> list[int]:
    """Return the values from which on the second to the fifth fifth begins; less than four when ties leave some empty.

    *counts*: how often each value occurs. Equal values get the fifth in which the middle one of them lies. NTILE would
    cut a row of equal values in two, and two contacts with the same past would be told apart.
    """
    ordered, found = sorted(counts), list[int]()
    until = list(accumulate(counts[value] for value in ordered))  # so many are of the value, or of a lower one
    for fifth in range(1, 5) if ordered else ():
        at = bisect_right(until, until[-1] * fifth // 5)
        if 5 * (2 * until[at] - counts[ordered[at]]) < 2 * until[-1] * fifth:
            at += 1
        if at < len(ordered):
            found.append(ordered[at])
    return found


def write(db: sa.Connection, now: datetime, currency: str, cut: Cuts, span: Span) -> None:
    """Write recency, frequency, value and their fifths for every contact of *span*."""
    there = sa.select(score.c.contact_id).where(score.c.contact_id.between(*span))
    gone = sa.select(contact.c.id).where(contact.c.erased_at.is_not(None), contact.c.id.between(*span))
    # By numbers alone, which indexes have: the rows of contacts are wide.
    others = sa.select(contact.c.id, sa.literal(micros(now))).where(contact.c.id.between(*span))
    others = others.where(contact.c.id.not_in(there), contact.c.id.not_in(gone))
    # Somebody else may score at the same time.
    db.execute(insert(db, score).from_select(["contact_id", "at"], others).on_conflict_do_nothing())
    sums = _sums(now, currency, cut, span).subquery("sums")
    # Not an upsert, which on PostgreSQL locks each row before it writes it anew. Who is erased has no row.
    update = sa.update(score).where(score.c.contact_id == sums.c.contact_id, score.c.contact_id.between(*span))
    db.execute(update.values({name: sums.c[name] for name in _COLUMNS}))
    # Whose purchases are gone, as in a merge: all who have some bear this moment by now.
    had = (score.c.at != now) & ((score.c.frequency != 0) | (score.c.value != 0))
    nothing = {"frequency": 0, "value": 0, "unrated": 0, "at": now, **dict.fromkeys(("recency", "r", "f", "m"))}
    db.execute(sa.update(score).where(score.c.contact_id.between(*span), had).values(nothing))


_COLUMNS = ("recency", "frequency", "value", "unrated", "r", "f", "m", "at")


def _sums(now: datetime, currency: str, cut: Cuts, span: Span) -> sa.Select[Any]:
    """The new `_COLUMNS` of every contact of *span* with purchases: in the order of the index."""
    sums = purchases(now, currency, span, told=("frequency", "value", "last", "unrated")).c
    since, buys = sa.literal(micros(now), sa.BigInteger) - sums.last, sums.frequency > 0
    return sa.select(
        sums.contact_id,
        (since / sa.literal(float(DAY))).label("recency"),
        sums.frequency,
        sums.value,
        sums.unrated,
        sa.case((buys, _fifth(-_whole(since, DAY), [-age for age in cut.r]))).label("r"),
        sa.case((buys, _fifth(sums.frequency, cut.f))).label("f"),
        sa.case((buys, _fifth(sums.value, cut.m))).label("m"),
        sa.literal(micros(now)).label("at"),
    )


def _whole(number: sa.ColumnElement[Any], divisor: int) -> sa.ColumnElement[int]:
    """Divide whole numbers, downwards, on both databases (SQLAlchemy's `//` does)."""
    return sa.cast(number, sa.BigInteger) // sa.literal_column(str(divisor), sa.BigInteger)


def _fifth(column: sa.ColumnElement[int], cut: Sequence[int]) -> sa.ColumnElement[int]:
    """1 to 5: in which fifth the value lies."""
    if not cut:
        return sa.literal(1)
    return sa.case(*((column < begins, place) for place, begins in enumerate(cut, 1)), else_=len(cut) + 1)
