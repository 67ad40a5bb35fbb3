"""What the provider answered, written down in batches."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo.connector import BadAddress, InDoubt, Outcome, Receipt, Rejected, Temporary, Unavailable
from vinculo.db.tables import address, delivery, occurrence, suppression
from vinculo.ledger.row import CRASHES, TOO_LATE, WAITING, WRITTEN_OFF, Claim, D, held_by, insert
from vinculo.model import FINAL, DeliveryState, SkipReason

_FIRST_WAIT = timedelta(minutes=5)
_LONGEST_WAIT = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Settlement:
    """The provider's answer to one claim."""

    claim: Claim
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Settled:
    """What `settle` wrote: the accepted claims, for the history; and the void ones, for which nothing was changed."""

    accepted: tuple[Claim, ...] = ()
    stale: tuple[Claim, ...] = ()


def settle(db: sa.Connection, settlements: Sequence[Settlement], now: datetime, *, idempotent: bool = False) -> Settled:
    """Write down what the provider answered. *idempotent*: it dedupes on our key, what is in doubt is sent again.

    An answer that comes after its row was found in doubt still counts, as long as nobody claimed the row since. The
    claims returned name the contacts as they are now: one may have been joined into another meanwhile.
    """
    rows = _lock(db, [one.claim for one in settlements])
    known = [(one, rows[one.claim.id]) for one in settlements if _counts(one, rows.get(one.claim.id))]
    if known:
        changes = [{"b_id": row.id, **_change(one, row, now, idempotent=idempotent)} for one, row in known]
        columns = {name: sa.bindparam(f"b_{name}", type_=D[name].type) for name in _COLUMNS}
        update = sa.update(delivery).where(D.id == sa.bindparam("b_id")).values(**columns, lease_until=None)
        db.execute(update, changes)
    if bad := [row.id for one, row in known if isinstance(one.outcome, BadAddress)]:
        _suppress(db, bad, now)
    written = {row.id for _, row in known}
    return Settled(
        tuple(_as_now(one.claim, row) for one, row in known if isinstance(one.outcome, Receipt)),
        tuple(one.claim for one in settlements if one.claim.id not in written),
    )


def _lock(db: sa.Connection, claims: Sequence[Claim]) -> dict[int, sa.Row[Any]]:
    o = occurrence.c
    here = sa.and_(o.campaign == D.campaign, o.occurrence == D.occurrence)
    query = (
        sa.select(
            D.id, D.contact_id, D.state, D.due_at, D.crashes,
            o.state.label("place"), o.definition["in_doubt"].as_string().label("policy"),
        )
        .join(occurrence, here)
        .where(held_by(claims))
        .order_by(D.id)  # two who settle lock in the same order
        .with_for_update(of=delivery)
    )  # fmt: skip
    return {row.id: row for row in db.execute(query)} if claims else {}


def _as_now(claim: Claim, row: sa.Row[Any]) -> Claim:
    return replace(claim, key=replace(claim.key, contact_id=row.contact_id))


def _counts(one: Settlement, row: sa.Row[Any] | None) -> bool:
    """Whether the answer is still news: the row is being handed over, or was given up meanwhile.

    A receipt is a fact whatever the row was taken for; any other valid answer ends a doubt.
    """
    if row is None:
        return False
    if isinstance(one.outcome, Receipt):
        return bool(row.state != DeliveryState.ACCEPTED)
    doubted = row.state == DeliveryState.IN_DOUBT and not isinstance(one.outcome, InDoubt)
    return doubted or row.state == DeliveryState.SUBMITTING


_COLUMNS = ("state", "reason", "due_at", "attempts", "crashes", "provider_id", "response", "settled_at")


def _change(one: Settlement, row: sa.Row[Any], now: datetime, *, idempotent: bool) -> dict[str, Any]:
    """The row's new values, as parameters `b_<column>`."""
    as_it_was = {"reason": "", "due_at": row.due_at, "attempts": one.claim.attempts + 1, "provider_id": ""}
    as_it_was["crashes"] = row.crashes
    told = as_it_was | {"response": str(one.outcome)} | _verdict(one, row, now, idempotent=idempotent)
    if told["state"] in WAITING:
        told |= _again(told["due_at"], one.claim.expires_at, row.place)
    told["settled_at"] = now if told["state"] in FINAL else None
    return {f"b_{name}": told[name] for name in _COLUMNS}


def _verdict(one: Settlement, row: sa.Row[Any], now: datetime, *, idempotent: bool) -> dict[str, Any]:
    """What the answer means for the row."""
    match one.outcome:
        case Receipt(provider_id, response):
            return {"state": DeliveryState.ACCEPTED, "provider_id": provider_id, "response": response}
        case Temporary(after=after):
            return {"state": DeliveryState.DEFERRED, "due_at": now + wait(one.claim, after)}
        case Unavailable(after=after):  # no fault of the message: the attempt does not count
            due_at = max(row.due_at, now + timedelta(seconds=after or 0))
            return {"state": DeliveryState.PLANNED, "due_at": due_at, "attempts": one.claim.attempts}
        case BadAddress():
            return {"state": DeliveryState.REJECTED, "reason": "bad_address"}
        case Rejected():
            return {"state": DeliveryState.REJECTED}
    state, reason = in_doubt("resend" if idempotent else row.policy, row.crashes)
    return {"state": state, "reason": reason, "due_at": now + wait(one.claim, None), "crashes": row.crashes + 1}


def in_doubt(policy: str, crashes: int) -> tuple[DeliveryState, str]:
    """State and reason of a row of which nobody can tell whether it was accepted, by its campaign's `in_doubt`.

    *crashes*: how often that was so before. Sent again and again, it might arrive each time: a person must look.
    """
    if crashes + 1 >= CRASHES:
        return DeliveryState.IN_DOUBT, SkipReason.QUARANTINED
    return {
        "resend": (DeliveryState.PLANNED, ""),
        "write_off": (DeliveryState.REJECTED, WRITTEN_OFF),
    }.get(policy, (DeliveryState.IN_DOUBT, ""))


def wait(claim: Claim, after: float | None) -> timedelta:
    """How long to wait before the next attempt: 5, 10, 20 … minutes, at most 4 hours, or *after* seconds if longer.

    Up to a quarter is added, by the row's id, so that what was deferred together does not come back together.
    """
    jitter = zlib.crc32(f"{claim.id}/{claim.attempts}".encode()) / 2**34
    times: float = 2 ** min(claim.attempts, 10) * (1 + jitter)
    return max(min(_FIRST_WAIT * times, _LONGEST_WAIT), timedelta(seconds=after or 0))


def _again(due_at: datetime, expires_at: datetime, place: str) -> dict[str, Any]:
    """Why a row that should be tried again will not be, if so."""
    if place == "cancelled":
        return {"state": DeliveryState.CANCELLED}
    if due_at >= expires_at:
        return {"state": DeliveryState.EXPIRED, "reason": TOO_LATE}
    return {}


def _suppress(db: sa.Connection, ids: Sequence[int], now: datetime) -> None:
    """Put the addresses of the rows *ids* on the suppression list as hard bounces."""
    here = sa.and_(address.c.contact_id == D.contact_id, address.c.channel == D.channel, address.c.value == D.address)
    bad = (
        sa.select(address.c.channel, address.c.hash, sa.literal("hard_bounce"), sa.literal("ledger"), _at(now))
        .join_from(delivery, address, here)
        .where(D.id.in_(ids))
        .distinct()
    )
    columns = ["channel", "address_hash", "reason", "source", "at"]
    db.execute(insert(db, suppression).from_select(columns, bad).on_conflict_do_nothing())


def _at(now: datetime) -> sa.ColumnElement[datetime]:
    return sa.literal(now, suppression.c.at.type)
