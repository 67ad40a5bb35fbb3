"""What to expect of each contact: alive or gone, purchases and value in a year with intervals, the next purchase."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa

from vinculo.db.tables import interaction, micros, score
from vinculo.history import bought, worth
from vinculo.scoring import purchasing, spending
from vinculo.scoring.certainty import Matrix, positive, share, variance
from vinculo.scoring.purchasing import Past, Purchasing
from vinculo.scoring.rfm import DAY, Span, purchases
from vinculo.scoring.spending import Spending, Spent
from vinculo.stats import Interval

_WEEK = 7 * DAY
YEAR = 365 / 7
#: The models are fitted on at most so many contacts, evenly drawn: more would move the parameters by less than 1 %.
MOST = 20_000
#: A purchase further away than that is not foreseen.
HORIZON = timedelta(days=10 * 365)
_SLOPE = 1e-4
_BATCH = 5_000
COLUMNS = (
    *("alive", "alive_low", "alive_high", "expected", "expected_low", "expected_high"),
    *("lifetime_value", "lifetime_low", "lifetime_high", "next_at"),
)
Model = TypeVar("Model", Purchasing, Spending)


@dataclass(frozen=True, slots=True)
class Models:
    """The fitted models, and the covariance of the logarithms of their parameters. None: too little to learn from."""

    purchasing: Purchasing | None = None
    spending: Spending | None = None
    purchasing_spread: Matrix | None = None
    spending_spread: Matrix | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What to expect of a contact in the next *weeks*. Money in minor units; *next* in weeks from now."""

    alive: Interval
    expected: Interval
    value: Interval | None
    next: float | None


def fit(db: sa.Connection, now: datetime, currency: str, buyers: int) -> Models:
    """Fit both models on the purchases up to *now* of so many *buyers*."""
    every = -(-buyers // MOST) or 1
    rows = db.execute(_buyers(now, currency, every=every)).all()
    return models([_past(row, now) for row in rows], [spent for row in rows if (spent := _spent(row))])


def models(pasts: Sequence[Past], spent: Sequence[Spent]) -> Models:
    """Fit both models, and say how sure their parameters are. What a purchase costs tells nothing without how many."""
    buying = purchasing.fit(pasts)
    paying = spending.fit(spent) if buying else None
    return Models(
        buying,
        paying,
        purchasing.uncertainty(buying, pasts) if buying else None,
        spending.uncertainty(paying, spent) if paying else None,
    )


def write(db: sa.Connection, now: datetime, currency: str, found: Models, span: Span) -> None:
    """Write what to expect of every contact of *span*; nothing is known of who never bought."""
    mine = score.c.contact_id.between(*span)
    there = sa.or_(*(score.c[name].is_not(None) for name in ("alive", "next_at")))
    buyers = sa.exists().where(bought(), interaction.c.contact_id == score.c.contact_id, interaction.c.at <= now)
    gone = sa.update(score).where(mine, there)
    db.execute((gone if found.purchasing is None else gone.where(~buyers)).values(dict.fromkeys(COLUMNS)))
    if found.purchasing is None:
        return
    foresee = foresight(found, YEAR)
    update = sa.update(score).where(score.c.contact_id == sa.bindparam("owner"))
    update = update.values({name: sa.bindparam(name) for name in COLUMNS})
    for batch in db.execute(_buyers(now, currency, span)).partitions(_BATCH):
        rows = [_row(row, now, foresee(_past(row, now), _spent(row))) for row in batch]
        db.execute(update, rows)


def foresight(found: Models, weeks: float) -> Callable[[Past, Spent | None], Outlook]:
    """Return what tells a contact's outlook for the next *weeks* from its past and from what it has spent.

    A contact of whom some amount is unknown (None) has no expected value.
    """
    buying, paying = found.purchasing, found.spending
    assert buying is not None
    nearby, nearby_means = _nearby(buying.logs(), Purchasing), _nearby(paying.logs(), Spending) if paying else []

    @lru_cache(maxsize=10_000)  # those who bought once are many, and equal if they did so on the same day
    def purchases_of(past: Past) -> tuple[Interval, Interval, float]:
        alive, expected = buying.alive(past), buying.expected(past, weeks)
        spread = found.purchasing_spread
        if spread is None:
            return _point(alive), _point(expected), 0.0
        doubt = _variance([each.expected(past, weeks) for each in nearby], expected, spread, math.log)
        chance = _variance([each.alive(past) for each in nearby], alive, spread, _logit) if 0 < alive < 1 else 0.0
        return share(alive, chance), positive(expected, doubt), doubt

    def foresee(past: Past, spent: Spent | None) -> Outlook:
        alive, expected, doubt = purchases_of(past)
        value = None
        if paying is not None and spent is not None:
            mean = paying.expected(spent)
            spread = found.spending_spread
            more = _variance([each.expected(spent) for each in nearby_means], mean, spread, math.log) if spread else 0.0
            value = positive(expected.estimate * mean, doubt + more)
        return Outlook(alive, expected, value, buying.wait(past))

    return foresee


def _nearby(logs: Sequence[float], model: Callable[..., Model]) -> list[Model]:
    """The model with each of its parameters a little larger."""
    return [model(*(math.exp(value + _SLOPE * (i == j)) for j, value in enumerate(logs))) for i in range(len(logs))]


def _variance(moved: Sequence[float], here: float, spread: Matrix, scale: Callable[[float], float]) -> float:
    return variance([(scale(each) - scale(here)) / _SLOPE for each in moved], spread)


def _logit(chance: float) -> float:
    return math.log(chance / (1 - chance))


def _point(estimate: float) -> Interval:
    return Interval(estimate, estimate, estimate)


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _buyers(now: datetime, currency: str, span: Span | None = None, every: int = 1) -> sa.Select[Any]:
    """Who bought, or one in *every* of them, with the days on which they did and what the first of these brought."""
    sums = purchases(now, currency, span, every)
    row = interaction.c
    at = sa.type_coerce(row.at, sa.BigInteger)
    start = sums.c.first - sums.c.first % DAY
    mine = (bought(), row.contact_id == sums.c.contact_id, row.at <= now)
    days = sa.select(sa.func.count(sa.distinct(at // sa.literal_column(str(DAY), sa.BigInteger)))).where(*mine)
    days = days.where(sa.func.coalesce(row.amount, 0) >= 0)
    begun = sa.select(sa.func.coalesce(sa.func.sum(worth(currency)), 0)).where(*mine, at >= start, at < start + DAY)
    return (
        sa.select(
            sums,
            sa.case((sums.c.frequency > 1, days.scalar_subquery()), else_=1).label("days"),
            sa.cast(begun.scalar_subquery(), sa.BigInteger).label("began_with"),
        )
        .where(sums.c.frequency > 0)
        .order_by(sums.c.contact_id)
    )


def _past(row: Any, now: datetime) -> Past:
    """Days are what count: two purchases on one day are one visit, and a first day is no return."""
    between = (row.last - row.first) / _WEEK if row.days > 1 else 0.0
    return Past(row.days - 1, between, (micros(now) - row.first) / _WEEK)


def _spent(row: Any) -> Spent | None:
    """What it spent on the days after the first: the model is of those who come back. None: not all is known."""
    if row.unrated:
        return None
    again = row.days - 1
    return Spent(again, max(0, row.value - row.began_with) / again if again else 0.0)


def _row(row: Any, now: datetime, told: Outlook) -> dict[str, Any]:
    until = None if told.next is None or told.next * 7 > HORIZON.days else now + timedelta(weeks=told.next)
    value = (None,) * 3 if told.value is None else map(_minor, _ends(told.value))
    figures = (*_ends(told.alive), *_ends(told.expected), *value, until)
    return {"owner": row.contact_id, **dict(zip(COLUMNS, figures, strict=True))}


def _ends(each: Interval) -> tuple[float, float, float]:
    return each.estimate, each.low, each.high


def _minor(amount: float) -> int:
    return round(min(amount, 1e15))
