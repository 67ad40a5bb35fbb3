"""What is known of one contact's worth: its scores with their intervals, and how it moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import interaction, score
from vinculo.model import EventKind
from vinculo.stats import Interval


@dataclass(frozen=True, slots=True)
class Change:
    """One line of history: stage and RFM (`5-3-4`, "" for none) before and after *at*."""

    at: datetime
    stage: tuple[str, str]
    rfm: tuple[str, str]

    @property
    def moved(self) -> bool:
        """Whether it was a move to another stage."""
        return self.stage[0] != self.stage[1]


@dataclass(frozen=True, slots=True)
class Scored:
    """A contact's scores as of *at*. Money in minor units of the company's currency; what cannot be told is None."""

    at: datetime
    stage: str
    rfm: str
    engagement: float
    recency: float | None
    frequency: int
    value: int
    unrated: int
    alive: Interval | None
    expected: Interval | None
    lifetime: Interval | None
    next_at: datetime | None
    changes: Sequence[Change]


def scored(db: sa.Connection, contact_id: int, limit: int = 12) -> Scored | None:
    """Return the scores of the contact with its newest *limit* changes, newest first; None before it was scored."""
    row: Any = db.execute(sa.select(score).where(score.c.contact_id == contact_id)).one_or_none()
    if row is None:
        return None
    return Scored(
        at=row.at,
        stage=row.stage,
        rfm=row.rfm,
        engagement=row.engagement,
        recency=row.recency,
        frequency=row.frequency,
        value=row.value,
        unrated=row.unrated,
        alive=_interval(row.alive, row.alive_low, row.alive_high),
        expected=_interval(row.expected, row.expected_low, row.expected_high),
        lifetime=_interval(row.lifetime_value, row.lifetime_low, row.lifetime_high),
        next_at=row.next_at,
        changes=_changes(db, contact_id, limit),
    )


def _interval(estimate: float | None, low: float | None, high: float | None) -> Interval | None:
    return None if estimate is None or low is None or high is None else Interval(estimate, low, high)


def _changes(db: sa.Connection, contact_id: int, limit: int) -> list[Change]:
    row = interaction.c
    ask = sa.select(row.at, row.data).where(row.contact_id == contact_id, row.kind == EventKind.SCORED)
    lines = db.execute(ask.order_by(row.at.desc(), row.id.desc()).limit(limit))
    # Lines of before the stages were a file say it in words alone.
    return [Change(at, tuple(data["stage"]), tuple(data["rfm"])) for at, data in lines if "stage" in data]
