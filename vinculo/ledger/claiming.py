"""A lease on a batch of due rows, taken by any number of workers; what becomes of a lease that is given back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from vinculo.db.statement import Row, Statement, given, these
from vinculo.db.tables import control, delivery, micros, occurrence
from vinculo.ledger.permission import is_service
from vinculo.ledger.row import (
    TOO_LATE,
    Claim,
    D,
    back_to_planned,
    ended,
    fences,
    lock,
    ours,
    state_is,
    waiting,
)
from vinculo.model import DeliveryKey, DeliveryState, SkipReason

#: When it is.
_NOW: Any = sa.bindparam("now", type_=D.due_at.type)
#: What of a `Claim` differs within an occurrence, and when the row becomes too old: not worth an object for each.
_DIFFERS = (
    *(D.id, D.contact_id, D.fence + 1, D.channel, D.address, D.variant, D.attempts, D.crashes),
    sa.type_coerce(D.expires_at, sa.BigInteger),
)
#: Make one of a tuple of its values: to call its class costs as much as to read its row.
_claim = partial(tuple.__new__, Claim)
_key = partial(tuple.__new__, DeliveryKey)


def claim(  # noqa: PLR0913 - who, how many, when, for how long, and of what
    db: sa.Connection, worker: str, limit: int, now: datetime, lease: timedelta, *,
    campaign: str = "", occurrence: str = "", without: Collection[str] = (),
) -> list[Claim]:  # fmt: skip
    """Take at most *limit* due rows into *worker*'s hands until *now* + *lease*, in the order in which to send them.

    What the contact waits for (`is_service`) first, then by priority, then what was due first. *without*: channels to
    pass over. Rows on which a worker may have died (`crashes`) come last: what kills a worker again has let the others
    pass.
    """
    taken: list[Claim] = []
    places = _places(db, now, campaign, occurrence)
    for due in (_DUE, _SUSPECTS):
        for place in places:
            while len(taken) < limit:
                rows = due.rows(
                    db, campaign=place[0], occurrence=place[1], now=now, given=dict.fromkeys(without, 0),
                    limit=limit - len(taken),
                )  # fmt: skip
                fresh = _take(db, place, rows, worker, now, now + lease)
                taken += fresh
                if len(fresh) == len(rows):
                    break
    return taken


def _places(db: sa.Connection, now: datetime, campaign: str, name: str) -> list[tuple[str, str]]:
    """The occurrences that have something due, in order. One at a time: the index gives its rows in order."""
    return [(row[0], row[1]) for row in _PLACES.rows(db, campaign=campaign, occurrence=name, now=now)]


def _due_places() -> sa.Select[Any]:
    o = occurrence.c
    asked = {column: sa.bindparam(column.name, type_=sa.Text) for column in (o.campaign, o.occurrence)}
    wanted = [sa.or_(value == "", column == value) for column, value in asked.items()]
    stopped = sa.exists().where(control.c.campaign == o.campaign)
    due = sa.exists().where(D.campaign == o.campaign, D.occurrence == o.occurrence, waiting(), D.due_at <= _NOW)
    query = sa.select(o.campaign, o.occurrence).where(o.state == "open", sa.not_(stopped), due, *wanted)
    return query.order_by(*in_turn())


def in_turn() -> tuple[sa.ColumnElement[Any], ...]:
    """The order in which occurrences are sent: what the contact waits for, by priority, then what was due first."""
    o = occurrence.c
    service = is_service(o.definition["kind"].as_string(), o.definition["topic"].as_string())
    return service.desc(), o.definition["priority"].as_integer().desc(), o.due_at, o.campaign, o.occurrence


def _take(
    db: sa.Connection, place: tuple[str, str], rows: Sequence[Row], worker: str, now: datetime, until: datetime
) -> list[Claim]:
    """Claim those of *rows*, which are locked, that are not too old; the others become expired."""
    edge = micros(now)
    if old := [row[0] for row in rows if row[-1] <= edge]:
        _EXPIRE.run(db, ids=old, now=now)
    fresh = [row for row in rows if row[-1] > edge] if old else rows
    if fresh:
        _TAKE.run(db, ids=[row[0] for row in fresh], worker=worker, until=until)
    return [_claim((number, _key((*place, contact_id)), *rest)) for number, contact_id, *rest, _ in fresh]


def _due(*, suspects: bool) -> sa.Select[Any]:
    """The first of an occurrence that are due, or those of them on which a worker may have died, in order."""
    campaign, name = (sa.bindparam(name, type_=sa.Text) for name in ("campaign", "occurrence"))
    passed_over = sa.select(given().c.key)
    due = D.campaign == campaign, D.occurrence == name, waiting(), D.due_at <= _NOW, D.channel.not_in(passed_over)
    query = sa.select(*_DIFFERS).where(*due, D.crashes > 0 if suspects else D.crashes == 0)
    query = query.order_by(*([D.crashes] if suspects else []), D.due_at, D.id)
    return query.limit(sa.bindparam("limit", type_=sa.Integer)).with_for_update(of=delivery, skip_locked=True)


def _taken() -> sa.Update:
    values = {
        "state": DeliveryState.CLAIMED.value,
        "reason": "",
        "worker": sa.bindparam("worker", type_=D.worker.type),
        "fence": D.fence + 1,
        "lease_until": sa.bindparam("until", type_=D.lease_until.type),
    }
    return sa.update(delivery).where(these(D.id)).values(values)


def _expired() -> sa.Update:
    return sa.update(delivery).where(these(D.id)).values(ended(DeliveryState.EXPIRED, _NOW) | {"reason": TOO_LATE})


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
_DUE, _SUSPECTS = (Statement(partial(_due, suspects=suspects)) for suspects in (False, True))
_PLACES, _TAKE, _EXPIRE = Statement(_due_places), Statement(_taken), Statement(_expired)
