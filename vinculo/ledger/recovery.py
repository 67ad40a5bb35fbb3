"""What a dead worker left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import delivery, interaction, occurrence
from vinculo.ledger.row import CLAIM, CRASHES, Claim, D, back_to_planned, claim_of
from vinculo.ledger.settling import in_doubt
from vinculo.model import FINAL, DeliveryState, EventKind, SkipReason

#: What only a message that was accepted can cause.
PROOF = (
    *(EventKind.DELIVERED, EventKind.BOUNCED, EventKind.COMPLAINED, EventKind.OPENED, EventKind.CLICKED),
    *(EventKind.REPLIED, EventKind.AUTO_REPLIED),
)


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many rows became what. *accepted*: proved by an event that came before its answer; for the history."""

    released: int = 0
    quarantined: int = 0
    in_doubt: int = 0
    resent: int = 0
    written_off: int = 0
    accepted: tuple[Claim, ...] = ()


def recover(db: sa.Connection, now: datetime, *, idempotent_channels: frozenset[str] = frozenset()) -> Recovered:
    """Take back the rows whose lease is over. Cheap when there are none.

    Claimed rows were never handed over: they are planned again. Rows being handed over are in doubt, unless an event
    proves them accepted, their channel's provider dedupes on our key, or their campaign says otherwise (`in_doubt`).
    """
    released, quarantined = _release(db, now)
    rows = db.execute(_lost(DeliveryState.SUBMITTING, now)).all()
    fates: dict[tuple[DeliveryState, str], list[sa.Row[Any]]] = {}
    for row in rows:
        fates.setdefault(_fate(row, idempotent_channels), []).append(row)
    for (state, reason), ours in fates.items():
        _give_up(db, [row.id for row in ours], state, reason, now)
    number = {state: len(ours) for (state, _), ours in fates.items()}
    proved = fates.get((DeliveryState.ACCEPTED, ""), [])
    return Recovered(
        released,
        quarantined,
        in_doubt=number.get(DeliveryState.IN_DOUBT, 0),
        resent=number.get(DeliveryState.PLANNED, 0),
        written_off=number.get(DeliveryState.REJECTED, 0),
        accepted=tuple(map(claim_of, proved)),
    )


def _lost(state: DeliveryState, now: datetime) -> sa.Select[Any]:
    """The rows in *state* whose lease is over, locked, in the order in which a worker goes through them."""
    o, i = occurrence.c, interaction.c
    named = sa.func.coalesce(i.data["matched_by"].as_string(), "") == ""  # not guessed by its address
    proof = i.contact_id == D.contact_id, i.kind.in_(PROOF), i.delivery_id == D.id, named
    return (
        sa.select(
            *CLAIM, D.worker, D.crashes, o.definition["in_doubt"].as_string().label("policy"),
            sa.exists().where(*proof).label("proved"),
        )
        .join(occurrence, sa.and_(o.campaign == D.campaign, o.occurrence == D.occurrence))
        .where(D.state == state, D.lease_until <= now)
        .order_by(D.worker, D.channel, D.priority.desc(), D.due_at, D.id)
        .with_for_update(of=delivery, skip_locked=True)
    )  # fmt: skip


def _release(db: sa.Connection, now: datetime) -> tuple[int, int]:
    """Plan claimed rows again. The first of each worker was in its hands when it died: that one has a crash more."""
    rows = db.execute(_lost(DeliveryState.CLAIMED, now)).all()
    suspects = [next(group) for _, group in groupby(rows, lambda row: (row.worker, row.channel))]
    bad = [row.id for row in suspects if row.crashes + 1 >= CRASHES]
    _crash(db, [row.id for row in suspects])
    _change(db, [row.id for row in rows], state=back_to_planned())
    reason = {"reason": SkipReason.QUARANTINED, "response": f"{CRASHES} workers died on it"}
    _change(db, bad, state=DeliveryState.SKIPPED, settled_at=now, **reason)
    return len(rows) - len(bad), len(bad)


def _fate(row: sa.Row[Any], idempotent_channels: frozenset[str]) -> tuple[DeliveryState, str]:
    """State and reason of a row that its worker left while handing it over."""
    if row.proved:
        return DeliveryState.ACCEPTED, ""
    return in_doubt("resend" if row.channel in idempotent_channels else row.policy, row.crashes)


def _give_up(db: sa.Connection, ids: Sequence[int], state: DeliveryState, reason: str, now: datetime) -> None:
    _crash(db, ids)
    settled_at = now if state in FINAL else None
    target = back_to_planned() if state == DeliveryState.PLANNED else state
    _change(db, ids, state=target, reason=reason, settled_at=settled_at, response="its worker died")


def _crash(db: sa.Connection, ids: Sequence[int]) -> None:
    _change(db, ids, crashes=D.crashes + 1)


def _change(db: sa.Connection, ids: Sequence[int], **values: Any) -> None:
    if ids:
        db.execute(sa.update(delivery).where(D.id.in_(ids)).values(**values, lease_until=None))
