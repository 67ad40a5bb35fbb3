"""Scoring everybody: fit the models on the purchases, write table `score`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import micros, score
from vinculo.model import decimals
from vinculo.scoring import purchasing, rfm, spending
from vinculo.scoring.purchasing import Past, Purchasing
from vinculo.scoring.spending import Spending, Spent

_WEEK = 7 * rfm.DAY
_YEAR = 365 / 7
#: The models are fitted on at most so many contacts, evenly drawn: more would move the parameters by less than 1 %.
_MOST = 20_000
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Fitted:
    """What scoring found: contacts per stage, how many moved, and the models' parameters.

    Time is in weeks, money in *currency*. A model is None, and *why* says so, when there are too few purchases to
    learn from.
    """

    contacts: int
    stages: Mapping[str, int]
    moved: int
    purchasing: Purchasing | None
    spending: Spending | None
    currency: str
    why: str = ""


def run(db: sa.Connection, now: datetime, currency: str) -> Fitted:
    """Score every contact as of *now*; values in minor units of *currency*. Run again it gives the same.

    Purchases after *now* are left out, so a past date can be asked for.
    """
    rfm.write(db, now, currency)
    moved = rfm.move(db, now)
    ask = _buyers(now, currency)
    buying, spend = _fit(db, ask, now)
    _predict(db, ask, now, buying, spend)
    count = sa.select(score.c.stage, sa.func.count()).where(score.c.at == now).group_by(score.c.stage)
    stages = {row[0]: row[1] for row in db.execute(count.order_by(score.c.stage))}
    return Fitted(sum(stages.values()), stages, moved, buying, _major(spend, currency), currency, _why(buying, spend))


def _buyers(now: datetime, currency: str) -> sa.Select[Any]:
    bought = rfm.purchases(now, currency)
    began = rfm.first_day(bought, currency).label("began_with")
    return sa.select(bought, began).where(bought.c.frequency > 0).order_by(bought.c.contact_id)


def _fit(db: sa.Connection, ask: sa.Select[Any], now: datetime) -> tuple[Purchasing | None, Spending | None]:
    number = db.scalar(sa.select(sa.func.count()).select_from(ask.order_by(None).subquery())) or 0
    every = -(-number // _MOST) or 1
    pasts, spent = [], []
    for row in islice(db.execute(ask), 0, None, every):
        past = _past(row, now)
        pasts.append(past)
        spent.append(_spent(row))
    return purchasing.fit(pasts), spending.fit(spent)


def _past(row: Any, now: datetime) -> Past:
    """Days are what count: two purchases on one day are one visit, and a first day is no return."""
    between = (row.last - row.first) / _WEEK if row.days > 1 else 0.0
    return Past(row.days - 1, between, (micros(now) - row.first) / _WEEK)


def _spent(row: Any) -> Spent:
    """What the contact spent on the days after the first: the model is of those who come back."""
    again = row.days - 1
    return Spent(again, max(0, row.value - row.began_with) / again if again else 0.0)


def _predict(
    db: sa.Connection, ask: sa.Select[Any], now: datetime, buying: Purchasing | None, spend: Spending | None
) -> None:
    db.execute(sa.update(score).values(alive=None, expected=None, lifetime_value=None))
    if buying is None:
        return
    update = sa.update(score).where(score.c.contact_id == sa.bindparam("owner"))
    update = update.values({name: sa.bindparam(name) for name in ("alive", "expected", "lifetime_value")})
    for batch in db.execute(ask).partitions(_BATCH):
        db.execute(update, [_prediction(row, now, buying, spend) for row in batch])


def _prediction(row: Any, now: datetime, buying: Purchasing, spend: Spending | None) -> dict[str, Any]:
    past, spent = _past(row, now), _spent(row)
    expected = buying.expected(past, _YEAR)
    return {
        "owner": row.contact_id,
        "alive": buying.alive(past),
        "expected": expected,
        "lifetime_value": None if spend is None else round(expected * spend.expected(spent)),
    }


def _major(spend: Spending | None, currency: str) -> Spending | None:
    """The model as people read it: its scale in whole units of money; its two shapes have none."""
    return spend and replace(spend, v=spend.v / 10 ** decimals(currency))


def _why(buying: Purchasing | None, spend: Spending | None) -> str:
    if buying is None:
        return (
            f"Too few purchases to expect anything from: it needs {purchasing.FEWEST_CONTACTS} buyers, of whom "
            f"{purchasing.FEWEST_RETURNED} came back on another day, and some who have stopped."
        )
    if spend is None:
        return f"Too few amounts: lifetime value needs {spending.FEWEST_RETURNED} buyers who came back and paid."
    return ""
