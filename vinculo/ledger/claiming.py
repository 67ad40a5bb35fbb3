"""A lease on a batch of due rows, taken by any number of workers; what becomes of a lease that is given back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from vinculo.db.statement import Row, Statement, given
from vinculo.db.tables import control, delivery, occurrence
from vinculo.ledger.permission import is_service
from vinculo.ledger.row import (
    CLAIM,
    TOO_LATE,
    Claim,
    D,
    back_to_planned,
    change,
    claim_of,
    ended,
    fences,
    free,
    lock,
    ours,
    state_is,
    waiting,
)
from vinculo.model import DeliveryState, SkipReason

#: When it is.
_NOW: Any = sa.bindparam("now", type_=D.due_at.type)
#: Only to sort by: not worth an object for each row.
_DUE = sa.type_coerce(D.due_at, sa.BigInteger)
#: Where the columns after `CLAIM` are: whether the row was taken, and its order.
_TAKEN = len(CLAIM)
_ORDER = itemgetter(CLAIM.index(D.crashes), _TAKEN + 1, CLAIM.index(D.id))


def claim(  # noqa: PLR0913 - who, how many, when, for how long, and of what
    db: sa.Connection, worker: str, limit: int, now: datetime, lease: timedelta, *,
    campaign: str = "", occurrence: str = "", without: Collection[str] = (),
) -> list[Claim]:  # fmt: skip
    """Take at most *limit* due rows into *worker*'s hands until *now* + *lease*, in the order in which to send them.

    What the contact waits for (`is_service`) first, then by priority, then what was due first. *without*: channels to
    pass over. Rows on which a worker may have died (`crashes`) come last: what kills a worker again has let the others
    pass.
    """
    rows: list[Row] = []
    places = _places(db, now, campaign, occurrence)
    values = {"worker": worker, "now": now, "lease_until": now + lease, "given": dict.fromkeys(without, 0)}
    for statement in (_TAKE, _TAKE_SUSPECTS):
        for place in places:
            rows += _take(statement, db, place, limit - len(rows), values)
    return [claim_of(row) for row in rows]


def _places(db: sa.Connection, now: datetime, campaign: str, name: str) -> list[tuple[str, str]]:
    """The occurrences that have something due, in order. One at a time: the index gives its rows in order."""
    o = occurrence.c
    wanted = [column == value for column, value in ((o.campaign, campaign), (o.occurrence, name)) if value]
    stopped = sa.exists().where(control.c.campaign == o.campaign)
    due = sa.exists().where(D.campaign == o.campaign, D.occurrence == o.occurrence, waiting(), D.due_at <= now)
    query = sa.select(o.campaign, o.occurrence).where(o.state == "open", sa.not_(stopped), due, *wanted)
    service = is_service(o.definition["kind"].as_string(), o.definition["topic"].as_string())
    order = service.desc(), o.definition["priority"].as_integer().desc(), o.due_at, o.campaign, o.occurrence
    return [(row.campaign, row.occurrence) for row in db.execute(query.order_by(*order))]


def _take(
    statement: Statement, db: sa.Connection, place: tuple[str, str], limit: int, values: Mapping[str, Any]
) -> list[Row]:
    """Claim the first *limit* that are due; those that are too old become expired on the way."""
    taken: list[Row] = []
    while len(taken) < limit:
        campaign, name = place
        rows = statement.rows(db, campaign=campaign, occurrence=name, limit=limit - len(taken), **values)
        taken += [row for row in rows if row[_TAKEN]]
        if len(taken) >= limit or not rows:
            break
    return sorted(taken, key=_ORDER)


def _due(*, suspects: bool) -> sa.Update:
    """Claim the first of an occurrence that are due, or those of them on which a worker may have died."""
    campaign, name = (sa.bindparam(name, type_=sa.Text) for name in ("campaign", "occurrence"))
    passed_over = sa.select(given().c.key)
    due = free(D.campaign == campaign, D.occurrence == name, waiting(), D.due_at <= _NOW, D.channel.not_in(passed_over))
    due = due.where(D.crashes > 0 if suspects else D.crashes == 0)
    due = due.order_by(*([D.crashes] if suspects else []), D.due_at, D.id)
    old = D.expires_at <= _NOW
    expired = ended(DeliveryState.EXPIRED, _NOW)
    values = {
        "state": sa.case((old, expired["state"]), else_=DeliveryState.CLAIMED.value),
        "reason": sa.case((old, sa.literal(TOO_LATE)), else_=sa.literal("")),
        "worker": sa.bindparam("worker", type_=D.worker.type),
        "fence": D.fence + 1,
        "settled_at": sa.case((old, expired["settled_at"]), else_=sa.null()),
        "lease_until": sa.case((old, sa.null()), else_=sa.bindparam("lease_until", type_=D.lease_until.type)),
    }
    update = change(due.limit(sa.bindparam("limit", type_=sa.Integer)), **values)
    return update.returning(*CLAIM, D.state == DeliveryState.CLAIMED.value, _DUE)


def renew(db: sa.Connection, claims: Collection[Claim], now: datetime, lease: timedelta) -> int:
    """Prolong the lease on *claims* until *now* + *lease*; one that is over stays over. Returns how many were ours."""
    lock(db, (claim.id for claim in claims))
    return _RENEW(db, given=fences(claims), now=now, until=now + lease).rowcount if claims else 0


def _renew() -> sa.Update:
    held = state_is(DeliveryState.CLAIMED, DeliveryState.SUBMITTING), D.lease_until > sa.bindparam("now")
    return sa.update(delivery).where(*ours(), *held).values(lease_until=sa.bindparam("until", type_=D.lease_until.type))


def release(db: sa.Connection, claims: Collection[Claim], now: datetime) -> int:
    """Give back what was claimed and not handed over; return how many were still ours."""
    del now
    lock(db, (claim.id for claim in claims))
    return _RELEASE(db, given=fences(claims)).rowcount if claims else 0


def _release() -> sa.Update:
    given_back = {"state": back_to_planned(), "lease_until": None}
    return sa.update(delivery).where(*ours(), state_is(DeliveryState.CLAIMED)).values(given_back)


def skip(db: sa.Connection, claim: Claim, reason: SkipReason, detail: str, now: datetime) -> bool:
    """Leave a claimed contact out for *reason*; *detail* is for people. False: the claim was void, nothing changed."""
    held = sa.update(delivery).where(D.id == claim.id, D.fence == claim.fence, D.state == DeliveryState.CLAIMED)
    skipped = ended(DeliveryState.SKIPPED, now) | {"reason": reason, "response": detail}
    return bool(db.execute(held.values(skipped)).rowcount)


_RENEW, _RELEASE = Statement(_renew), Statement(_release)
_TAKE, _TAKE_SUSPECTS = (Statement(partial(_due, suspects=suspects)) for suspects in (False, True))
