"""What a dead worker left behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from vinculo.db.statement import Statement, given, id_of
from vinculo.db.tables import delivery, occurrence
from vinculo.ledger.claiming import in_turn
from vinculo.ledger.doubt import proved, renamed
from vinculo.ledger.row import CLAIM, CRASHES, Claim, D, back_to_planned, claim_of, planned_again, state_is
from vinculo.ledger.settling import in_doubt
from vinculo.model import FINAL, DeliveryState, SkipReason

#: So many rows are taken back in one transaction: more than a worker claims at once.
BOUND = 20_000
#: A worker renders so many at once, at most; only those may have killed it.
GROUP = 128


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many rows became what. *accepted*: proved by an event that came before its answer; for the history.

    *more*: others wait to be taken back.
    """

    released: int = 0
    quarantined: int = 0
    in_doubt: int = 0
    resent: int = 0
    written_off: int = 0
    accepted: tuple[Claim, ...] = ()
    more: bool = False


def recover(db: sa.Connection, now: datetime, *, idempotent_channels: frozenset[str] = frozenset()) -> Recovered:
    """Take back the rows whose lease is over, at most `BOUND` of each kind. Cheap when there are none.

    Claimed rows were never handed over: they are planned again. Rows being handed over are in doubt, unless an event
    proves them accepted, their channel's provider dedupes on our key, or their campaign says otherwise (`in_doubt`).
    """
    if not _OVER.rows(db, now=now):
        return Recovered()
    released, quarantined, unreleased = _release(db, now)
    rows, more = _lost(db, DeliveryState.SUBMITTING, now)
    fates: dict[tuple[DeliveryState, str], list[sa.Row[Any]]] = {}
    deduped = {row.id for row in rows if row.channel in idempotent_channels}
    deduped -= renamed(db, deduped) if deduped else set()
    for row in rows:
        fates.setdefault(_fate(row, deduped=row.id in deduped), []).append(row)
    for (state, reason), lost in fates.items():
        _give_up(db, [row.id for row in lost], state, reason, now)
    number = {state: len(lost) for (state, _), lost in fates.items()}
    proved = fates.get((DeliveryState.ACCEPTED, ""), [])
    return Recovered(
        released,
        quarantined,
        in_doubt=number.get(DeliveryState.IN_DOUBT, 0),
        resent=number.get(DeliveryState.PLANNED, 0),
        written_off=number.get(DeliveryState.REJECTED, 0),
        accepted=tuple(map(claim_of, proved)),
        more=more or unreleased,
    )


def _lost(db: sa.Connection, state: DeliveryState, now: datetime) -> tuple[list[sa.Row[Any]], bool]:
    """The rows in *state* whose lease is over, locked, in the order in which a worker goes through them.

    All that a worker held, or none of it: whom to suspect depends on what comes first. True: there are more.
    """
    rows = list(_LOST[state](db, now=now, bound=BOUND))
    if len(rows) < BOUND:
        return rows, False
    last = rows[-1].worker
    whole = [row for row in rows if row.worker != last]
    return whole or rows, True


def _over() -> sa.Select[Any]:
    """Whether the lease of any row is over."""
    over = D.lease_until.is_not(None), D.lease_until <= sa.bindparam("now", type_=D.lease_until.type)
    return sa.select(D.id).where(*over).limit(1)


def _losses(state: DeliveryState) -> sa.Select[Any]:
    now = sa.bindparam("now", type_=D.lease_until.type)
    o = occurrence.c
    return (
        sa.select(
            *CLAIM, D.worker, D.lost_at, o.definition["in_doubt"].as_string().label("policy"), proved().label("proved")
        )
        .join(occurrence, sa.and_(o.campaign == D.campaign, o.occurrence == D.occurrence))
        .where(state_is(state), D.lease_until <= now)
        .order_by(D.worker, D.channel, D.crashes > 0, *in_turn(), D.crashes, D.due_at, D.id)
        .limit(sa.bindparam("bound", type_=sa.Integer))
        .with_for_update(of=delivery, skip_locked=True)
    )


def _release(db: sa.Connection, now: datetime) -> tuple[int, int, bool]:
    """Plan claimed rows again. Those that were in a worker's hands when it died have a crash more."""
    rows, more = _lost(db, DeliveryState.CLAIMED, now)
    held = groupby(rows, lambda row: (row.worker, row.channel))
    suspects = [row for _, group in held for row in _suspects(list(group))]
    bad = [row for row in suspects if row.crashes + 1 >= CRASHES]
    _change(db, _CRASH, [row.id for row in suspects])
    _change(db, _PLAN, [row.id for row in rows], response="")
    reason = {"reason": SkipReason.QUARANTINED, "response": f"{CRASHES} workers died on it"}
    for state, settled_at in ((DeliveryState.SKIPPED, now), (DeliveryState.IN_DOUBT, None)):
        ids = [row.id for row in bad if bool(row.lost_at) is (settled_at is None)]
        _change(db, _SETTLE, ids, state=state, settled_at=settled_at, **reason)
    return len(rows) - len(bad), len(bad), more


def _suspects(rows: Sequence[sa.Row[Any]]) -> Sequence[sa.Row[Any]]:
    """Of what a worker held of a channel: the group it was rendering; suspects it takes one by one, see `Batch`."""
    return rows[:1] if rows[0].crashes else [row for row in rows[:GROUP] if not row.crashes]


def _fate(row: sa.Row[Any], *, deduped: bool) -> tuple[DeliveryState, str]:
    """State and reason of a row that its worker left while handing it over. *deduped*: its provider knows it again."""
    if row.proved:
        return DeliveryState.ACCEPTED, ""
    return in_doubt("resend" if deduped else row.policy, row.crashes)


def _give_up(db: sa.Connection, ids: Sequence[int], state: DeliveryState, reason: str, now: datetime) -> None:
    _change(db, _CRASH, ids)
    response = "its worker died"
    if state == DeliveryState.PLANNED:
        _change(db, _RESEND, ids, response=response, now=now)
    else:
        settled_at = now if state in FINAL else None
        _change(db, _SETTLE, ids, state=state, reason=reason, settled_at=settled_at, response=response)


def _change(db: sa.Connection, statement: Statement, ids: Iterable[int], **values: Any) -> None:
    if which := dict.fromkeys(ids, 0):
        statement(db, given=which, **values)


def _to(**values: Any) -> sa.Update:
    return sa.update(delivery).where(D.id == id_of(given())).values(**values)


def _settle() -> sa.Update:
    names = "state", "reason", "settled_at", "response"
    return _to(**{name: sa.bindparam(name, type_=D[name].type) for name in names}, lease_until=None)


def _plan() -> sa.Update:
    response = sa.bindparam("response", type_=D.response.type)
    return _to(state=back_to_planned(), reason="", response=response, settled_at=None, lease_until=None)


def _resend() -> sa.Update:
    response = sa.bindparam("response", type_=D.response.type)
    lost_at = sa.bindparam("now", type_=D.lost_at.type)
    return _to(state=planned_again(), reason="", response=response, lost_at=lost_at, settled_at=None, lease_until=None)


_LOST = {state: Statement(partial(_losses, state)) for state in (DeliveryState.CLAIMED, DeliveryState.SUBMITTING)}
_OVER = Statement(_over)
_CRASH = Statement(lambda: _to(crashes=D.crashes + 1))
_PLAN, _RESEND, _SETTLE = Statement(_plan), Statement(_resend), Statement(_settle)
