"""A claim given back until its turn comes: a rate or a daily cap is not to be exceeded."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import sqlalchemy as sa

from vinculo.db.tables import delivery, occurrence
from vinculo.ledger.row import Claim, D, controlled, its_occurrence, lost, scope, waiting
from vinculo.model import DeliveryState

#: The reason of a planned row that waits for its turn.
TURN = "turn"


def postpone(db: sa.Connection, turns: Iterable[tuple[Claim, datetime]], *, reason: str = TURN) -> None:
    """Give back claims that were not handed over; each row is due again when its turn comes."""
    rows = [{"b_id": claim.id, "b_fence": claim.fence, "b_due_at": at} for claim, at in turns]
    if not rows:
        return
    ours = D.id == sa.bindparam("b_id"), D.fence == sa.bindparam("b_fence"), D.state == DeliveryState.CLAIMED
    # `back_to_planned`, in words that many rows at once can be changed with: no IN.
    o = occurrence.c
    here = o.campaign == D.campaign, o.occurrence == D.occurrence
    over = sa.exists().where(*here, o.state == "cancelled")
    called_off = sa.case((lost(), DeliveryState.IN_DOUBT.value), else_=DeliveryState.CANCELLED.value)
    values = {
        "state": sa.case((over, called_off), else_=DeliveryState.PLANNED.value),
        "reason": sa.case((over, ""), else_=reason),
        "due_at": sa.bindparam("b_due_at", type_=D.due_at.type),
    }
    db.execute(sa.update(delivery).where(*ours).values(**values, lease_until=None), rows)


def next_turn(
    db: sa.Connection, campaign: str = "", name: str = "", *, without: Collection[str] = ()
) -> datetime | None:
    """When the first turn comes of the rows that wait for theirs and may be claimed then; None when none does.

    *without*: channels to pass over.
    """
    may = sa.not_(controlled()), its_occurrence("open"), D.channel.not_in(without)
    query = sa.select(sa.func.min(D.due_at)).where(waiting(), D.reason == TURN, *scope(campaign, name), *may)
    due: datetime | None = db.scalar(query)
    return due


def wake(db: sa.Connection, now: datetime) -> int:
    """Let every row that waits for its turn ask again: the rates have changed. Returns how many."""
    return db.execute(
        sa.update(delivery).where(waiting(), D.reason == TURN, D.due_at > now).values(due_at=now)
    ).rowcount
