"""How much a contact reads, clicks, answers and visits, machines aside: 0 to 100, fading by the month."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import interaction, score
from vinculo.model import EventKind
from vinculo.scoring.rfm import Span

#: What one event counts when it is new.
WEIGHTS = {EventKind.OPENED: 1, EventKind.VISITED: 2, EventKind.CLICKED: 3, EventKind.SURVEYED: 4, EventKind.REPLIED: 5}
#: Each so many days an event counts half of what it did; after `_STEPS` of them nothing.
HALF_LIFE = timedelta(days=30)
_STEPS = 6
#: So many fresh points are half of everything: 50 of 100.
HALF = 10


def engagement(points: Any) -> sa.ColumnElement[Any]:
    """100 p / (p + HALF) in tenths, cut off: whole numbers, so that every database says the same."""
    full = HALF * 2 ** (_STEPS - 1)
    tenths = sa.cast(1000 * points, sa.BigInteger) // sa.cast(points + full, sa.BigInteger)
    return sa.cast(tenths, sa.Float) / 10.0


def write(db: sa.Connection, now: datetime, span: Span) -> None:
    """Write the engagement of every contact of *span* that has a row of `score`, where it has changed."""
    sums = _points(now, span)
    new = engagement(sa.func.coalesce(sums.c.points, 0)).label("engagement")
    ask = sa.select(score.c.contact_id, new).outerjoin(sums, sums.c.contact_id == score.c.contact_id)
    found = ask.where(score.c.contact_id.between(*span)).subquery("found")
    stale = (score.c.contact_id == found.c.contact_id) & (score.c.engagement != found.c.engagement)
    db.execute(sa.update(score).where(stale).values(engagement=found.c.engagement))


def _points(now: datetime, span: Span) -> sa.Subquery:
    """The points of each contact that has some, in halves of halves: a fresh event counts 2 ** (_STEPS - 1) times."""
    row = interaction.c
    person = sa.func.coalesce(row.data["class"].as_string(), "human") == "human"
    fresh = sa.case(*((row.at > now - HALF_LIFE * (step + 1), 2 ** (_STEPS - 1 - step)) for step in range(_STEPS)))
    weight = sa.case({kind.value: weight for kind, weight in WEIGHTS.items()}, value=row.kind)
    return (
        sa.select(row.contact_id, sa.func.sum(weight * fresh).label("points"))
        .where(row.contact_id.between(*span), row.kind.in_([kind.value for kind in WEIGHTS]))
        .where(row.at > now - HALF_LIFE * _STEPS, row.at <= now, person)
        .group_by(row.contact_id)
        .subquery("points")
    )
