"""Recency, frequency and monetary value in one statement, and who moved to another stage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from vinculo.db.tables import contact, interaction, micros, score
from vinculo.model import Direction, EventKind
from vinculo.scoring.stages import stage

DAY = 86_400_000_000


def purchases(now: datetime, currency: str) -> sa.Subquery:
    """Per contact: purchases, their value in *currency*, first and last instant, and days with a purchase.

    An amount below nothing is a refund: it lowers the value and is no purchase.
    """
    row = interaction.c
    at = sa.type_coerce(row.at, sa.BigInteger)
    bought = sa.func.coalesce(row.amount, 0) >= 0
    ours = sa.case((row.currency.in_([currency, ""]), row.amount), else_=0)
    return (
        sa.select(
            row.contact_id,
            sa.func.count().filter(bought).label("frequency"),
            sa.cast(sa.func.coalesce(sa.func.sum(ours), 0), sa.BigInteger).label("value"),
            sa.func.min(at).filter(bought).label("first"),
            sa.func.max(at).filter(bought).label("last"),
            sa.func.count(sa.distinct(at // sa.literal_column(str(DAY), sa.BigInteger))).filter(bought).label("days"),
        )
        .where(row.kind == EventKind.PURCHASED, row.at <= now)
        .group_by(row.contact_id)
        .subquery("purchases")
    )


def first_day(bought: sa.Subquery, currency: str) -> sa.ScalarSelect[int]:
    """What a contact of *bought* (see `purchases`) spent on the day of its first purchase, in *currency*."""
    row = interaction.alias("begun").c
    at, start = sa.type_coerce(row.at, sa.BigInteger), bought.c.first - bought.c.first % DAY
    ours = sa.case((row.currency.in_([currency, ""]), row.amount), else_=0)
    return (
        sa.select(sa.cast(sa.func.coalesce(sa.func.sum(ours), 0), sa.BigInteger))
        .where(row.contact_id == bought.c.contact_id, row.kind == EventKind.PURCHASED)
        .where(at >= start, at < start + DAY)
        .scalar_subquery()
    )


def fifth(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """Return 1 to 5 by the order of *column*; equal values get the fifth in which the middle one of them lies.

    NTILE would cut a row of equal values in two, and two contacts with the same past would be told apart.
    """
    rank = sa.func.rank().over(order_by=column)
    equals = sa.func.count().over(partition_by=column)
    everyone = sa.func.count().over()
    return 1 + _whole(5 * (2 * (rank - 1) + equals), 2 * everyone)


def _whole(number: sa.ColumnElement[Any], divisor: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """Divide whole numbers, downwards, on both databases (SQLAlchemy's `//` does)."""
    return sa.cast(number, sa.BigInteger) // sa.cast(divisor, sa.BigInteger)


def write(db: sa.Connection, now: datetime, currency: str) -> None:
    """Write recency, frequency, value and their fifths for every contact, and note who moved to another stage."""
    bought = purchases(now, currency)
    fifths = [fifth(bought.c[of]).label(name) for name, of in (("r", "last"), ("f", "frequency"), ("m", "value"))]
    buyers = sa.select(bought.c.contact_id, *fifths).where(bought.c.frequency > 0).subquery("buyers")
    ask = (
        sa.select(
            contact.c.id,
            (sa.literal(micros(now)) - bought.c.last) / sa.literal(float(DAY)),
            sa.func.coalesce(bought.c.frequency, 0),
            sa.func.coalesce(bought.c.value, 0),
            buyers.c.r,
            buyers.c.f,
            buyers.c.m,
            sa.literal(micros(now)),
        )
        .select_from(contact)
        .outerjoin(bought, bought.c.contact_id == contact.c.id)
        .outerjoin(buyers, buyers.c.contact_id == contact.c.id)
        .where(contact.c.erased_at.is_(None))
    )
    names = ["recency", "frequency", "value", "r", "f", "m", "at"]
    dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(score).from_select(["contact_id", *names], ask)
    changed = {name: insert.excluded[name] for name in names}
    db.execute(insert.on_conflict_do_update(index_elements=["contact_id"], set_=changed))


def move(db: sa.Connection, now: datetime) -> int:
    """Bring every stage up to date; note each move in the contact's history. Returns how many moved."""
    moved = (score.c.stage != "") & (score.c.stage != stage())
    words = score.c.stage.concat(" → ").concat(stage())
    literal = sa.literal
    note = sa.select(
        score.c.contact_id,
        literal(micros(now)),
        literal(Direction.IN.value),
        literal(EventKind.SCORED.value),
        words,
        literal("score"),
    ).where(moved)
    names = ["contact_id", "at", "direction", "kind", "summary", "source"]
    count = db.scalar(sa.select(sa.func.count()).select_from(score).where(moved)) or 0
    db.execute(sa.insert(interaction).from_select(names, note))
    db.execute(sa.update(score).where(score.c.stage != stage()).values(stage=stage()))
    return count
