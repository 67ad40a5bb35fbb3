"""A lease on a batch of due rows, taken by any number of workers; what becomes of a lease that is given back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import control, delivery, occurrence
from vinculo.ledger.row import (
    CLAIM,
    TOO_LATE,
    WAITING,
    Claim,
    D,
    back_to_planned,
    change,
    claim_of,
    free,
    held_by,
    scope,
)
from vinculo.model import DeliveryState, SkipReason


def claim(  # noqa: PLR0913 - who, how many, when, for how long, and of what
    db: sa.Connection, worker: str, limit: int, now: datetime, lease: timedelta, *,
    campaign: str = "", occurrence: str = "", without: Collection[str] = (),
) -> list[Claim]:  # fmt: skip
    """Take at most *limit* due rows into *worker*'s hands until *now* + *lease*.

    Highest priority first, then what was due first. *without*: channels to pass over. A row on which a worker may
    have died (`crashes`) is taken alone and last, so that it can harm no other.
    """
    taken: list[Claim] = []
    places = _places(db, campaign, occurrence)
    values = {"worker": worker, "lease_until": now + lease, "fence": D.fence + 1}
    for place in places:
        for state in WAITING:
            due = _due(place, now, without).where(D.state == state, D.crashes == 0)
            taken += _take(db, due, limit - len(taken), now, values)
    for place in places if not taken else []:
        due = _due(place, now, without).where(D.state.in_(WAITING), D.crashes > 0)
        taken += _take(db, due, 1 - len(taken), now, values)
    return taken


def _places(db: sa.Connection, campaign: str, name: str) -> list[tuple[str, str]]:
    """The occurrences that may be sent from, by priority. One at a time: the index gives its rows in order."""
    o = occurrence.c
    wanted = [column == value for column, value in ((o.campaign, campaign), (o.occurrence, name)) if value]
    stopped = sa.exists().where(control.c.campaign == o.campaign)
    query = sa.select(o.campaign, o.occurrence).where(o.state == "open", sa.not_(stopped), *wanted)
    order = o.definition["priority"].as_integer().desc(), o.due_at, o.campaign, o.occurrence
    return [(row.campaign, row.occurrence) for row in db.execute(query.order_by(*order))]


def _due(place: tuple[str, str], now: datetime, without: Collection[str]) -> sa.Select[Any]:
    due = free(*scope(*place), D.due_at <= now)
    return (due.where(D.channel.not_in(without)) if without else due).order_by(D.due_at, D.id)


def _take(db: sa.Connection, due: sa.Select[Any], limit: int, now: datetime, values: dict[str, Any]) -> list[Claim]:
    """Claim the first *limit* of *due*; those that are too old become expired on the way."""
    taken: list[sa.Row[Any]] = []
    old = D.expires_at <= now
    state = sa.case((old, DeliveryState.EXPIRED.value), else_=DeliveryState.CLAIMED.value)
    reason = sa.case((old, sa.literal(TOO_LATE)), else_=sa.literal(""))
    values = values | {"settled_at": sa.case((old, sa.literal(now, D.settled_at.type)), else_=sa.null())}
    while len(taken) < limit:
        update = change(due.limit(limit - len(taken)), state=state, reason=reason, **values)
        rows = db.execute(update.returning(*CLAIM, D.state, D.due_at)).all()
        taken += [row for row in rows if row.state == DeliveryState.CLAIMED]
        if len(taken) >= limit or not rows:
            break
    return [claim_of(row) for row in sorted(taken, key=lambda row: (row.due_at, row.id))]


def renew(db: sa.Connection, claims: Sequence[Claim], now: datetime, lease: timedelta) -> int:
    """Prolong the lease on *claims* until *now* + *lease*; one that is over stays over. Returns how many were ours."""
    ours = sa.and_(held_by(claims), D.state.in_([DeliveryState.CLAIMED, DeliveryState.SUBMITTING]), D.lease_until > now)
    return db.execute(sa.update(delivery).where(ours).values(lease_until=now + lease)).rowcount if claims else 0


def release(db: sa.Connection, claims: Sequence[Claim], now: datetime) -> int:
    """Give back what was claimed and not handed over; return how many were still ours."""
    del now
    if not claims:
        return 0
    ours = sa.update(delivery).where(held_by(claims), D.state == DeliveryState.CLAIMED)
    return db.execute(ours.values(state=back_to_planned(), lease_until=None)).rowcount


def skip(db: sa.Connection, claim: Claim, reason: SkipReason, detail: str, now: datetime) -> bool:
    """Leave a claimed contact out for *reason*; *detail* is for people. False: the claim was void, nothing changed."""
    ours = sa.update(delivery).where(held_by([claim]), D.state == DeliveryState.CLAIMED)
    skipped = {"state": DeliveryState.SKIPPED, "reason": reason, "response": detail, "settled_at": now}
    return bool(db.execute(ours.values(**skipped, lease_until=None)).rowcount)
