"""What the provider answered, written down in batches."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from vinculo.connector import BadAddress, InDoubt, Outcome, Receipt, Rejected, Temporary, Unavailable
from vinculo.db.insert import insert
from vinculo.db.statement import Change, Statement, given, id_of
from vinculo.db.tables import address, delivery, occurrence, suppression
from vinculo.ledger.doubt import evidence, proved
from vinculo.ledger.row import (
    CRASHES,
    TOO_LATE,
    WAITING,
    WRITTEN_OFF,
    Claim,
    D,
    fences,
    lock,
    ours,
    same_fence,
    state_is,
    these_ours,
)
from vinculo.model import FINAL, DeliveryState, SkipReason

_FIRST_WAIT = timedelta(minutes=5)
_LONGEST_WAIT = timedelta(hours=4)
#: A provider may order a longer wait, but not for ever, in seconds.
_LONGEST_ORDER = 604_800.0


class Settlement(NamedTuple):
    """The provider's answer to one claim."""

    claim: Claim
    outcome: Outcome


_CLAIM, _ID = attrgetter("claim"), attrgetter("claim.id")
#: What a receipt is settled by.
_TOLD = attrgetter("claim.fence", "outcome.provider_id", "outcome.response")


@dataclass(frozen=True, slots=True)
class Settled:
    """What `settle` wrote: the claims accepted now, for the history; the void ones, for which nothing was changed."""

    accepted: tuple[Claim, ...] = ()
    stale: tuple[Claim, ...] = ()


def settle(db: sa.Connection, settlements: Sequence[Settlement], now: datetime, *, idempotent: bool = False) -> Settled:
    """Write down what the provider answered. *idempotent*: it dedupes on our key, what is in doubt is sent again.

    An answer that comes after its row was found in doubt still counts, as long as nobody claimed the row since; a
    receipt counts then as well, as evidence of what was sent before.
    """
    lock(db, (one.claim.id for one in settlements))
    done = _accept(db, settlements, now)
    if len(done) == len(settlements):
        return Settled(tuple(map(_CLAIM, settlements)))
    others = [one for one in settlements if one.claim.id not in done]
    written = dict.fromkeys(done, DeliveryState.ACCEPTED)
    written |= _settle(db, others, now, idempotent=idempotent) if others else {}
    written |= _prove(db, [one for one in others if one.claim.id not in written], now)
    return Settled(
        tuple(one.claim for one in settlements if written.get(one.claim.id) is DeliveryState.ACCEPTED),
        tuple(one.claim for one in settlements if one.claim.id not in written),
    )


def _accept(db: sa.Connection, settlements: Sequence[Settlement], now: datetime) -> set[int]:
    """Write down the receipts of rows that are being handed over, which nearly all answers are, in one statement.

    Nearly always they have the fence in common, and no name of the provider's. Some servers use the same words for all:
    then a connector gives the same receipt again and again, which is seen at a glance.
    """
    receipts = [one for one in settlements if isinstance(one.outcome, Receipt)]
    if not receipts:
        return set()
    ids = [*map(_ID, receipts)]
    fence, provider_id, response = _TOLD(receipts[0])
    same = {"fence": fence, "provider_id": provider_id, "now": now}
    receipt = receipts[0].outcome
    if all([one.outcome is receipt and one.claim.fence == fence for one in receipts]):  # noqa: C419 - twice as fast
        return _ACCEPT_ALIKE.of(db, ids, **same, response=response)
    told = [*map(_TOLD, receipts)]
    if len({words[:2] for words in told}) > 1:
        return _ACCEPT.ids(db, given=dict(zip(ids, told, strict=True)), now=now)
    return _ACCEPT_EACH.of(db, ids, **same, given={number: words[2:] for number, words in zip(ids, told, strict=True)})


def _accepted() -> sa.Update:
    rows = given()
    fence, provider_id, response = (rows.c.value[number] for number in range(3))
    told = {"provider_id": provider_id.as_string(), "response": response.as_string()}
    return _to_accepted([D.id == id_of(rows), D.fence == fence.as_integer()], told).returning(D.id)


def _accepted_each() -> sa.Update:
    rows = given()
    told = {"provider_id": sa.bindparam("provider_id", type_=sa.Text), "response": rows.c.value[0].as_string()}
    return _to_accepted([D.id == id_of(rows), same_fence()], told)


def _accepted_alike() -> sa.Update:
    told = {name: sa.bindparam(name, type_=sa.Text) for name in ("provider_id", "response")}
    return _to_accepted(these_ours(), told)


def _to_accepted(which: Iterable[sa.ColumnElement[bool]], told: dict[str, Any]) -> sa.Update:
    final = {"state": DeliveryState.ACCEPTED, "settled_at": sa.bindparam("now", type_=D.settled_at.type)}
    update = sa.update(delivery).where(*which, state_is(DeliveryState.SUBMITTING))
    return update.values(**told, **final, reason="", lease_until=None)


def _settle(
    db: sa.Connection, settlements: Sequence[Settlement], now: datetime, *, idempotent: bool
) -> dict[int, DeliveryState]:
    """Write down answers of every kind; return what became of the rows for which they still counted, by id."""
    rows = {row.id: row for row in _LOCK(db, given=fences(one.claim for one in settlements))}
    known = [(one, rows[one.claim.id]) for one in settlements if _counts(one, rows.get(one.claim.id))]
    changes = [
        {"b_id": row.id, **_change(one, row, now, idempotent=idempotent and _same_key(one, row))} for one, row in known
    ]
    if changes:
        columns = {name: sa.bindparam(f"b_{name}", type_=D[name].type) for name in _COLUMNS}
        update = sa.update(delivery).where(D.id == sa.bindparam("b_id")).values(**columns, lease_until=None)
        db.execute(update, changes)
    if bad := [row.id for one, row in known if isinstance(one.outcome, BadAddress)]:
        _suppress(db, bad, now)
    return {change["b_id"]: change["b_state"] for change in changes}


def _locked() -> sa.Select[Any]:
    o = occurrence.c
    here = sa.and_(o.campaign == D.campaign, o.occurrence == D.occurrence)
    policy = o.definition["in_doubt"].as_string().label("policy")
    columns = D.id, D.contact_id, D.state, D.due_at, D.expires_at, D.crashes, D.lost_at, o.state.label("place"), policy
    query = sa.select(*columns, proved().label("proved"))
    return query.join(occurrence, here).where(*ours()).with_for_update(of=delivery)


_ACCEPT, _LOCK = Statement(_accepted), Statement(_locked)
_ACCEPT_EACH, _ACCEPT_ALIKE = Change(_accepted_each), Change(_accepted_alike)


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


def _same_key(one: Settlement, row: sa.Row[Any]) -> bool:
    """Whether its provider would know the message again: its contact was not joined into another meanwhile."""
    return bool(row.contact_id == one.claim.key.contact_id)


_COLUMNS = (
    *("state", "reason", "due_at", "attempts", "crashes"),
    *("provider_id", "response", "settled_at", "lost_at"),
)


def _prove(db: sa.Connection, late: Sequence[Settlement], now: datetime) -> dict[int, DeliveryState]:
    """Take the receipts that come after another claim for what they are: the provider has the message."""
    receipts = [(one.claim.id, one.outcome) for one in late if isinstance(one.outcome, Receipt)]
    proofs = {number: {"provider_id": told.provider_id, "response": told.response} for number, told in receipts}
    return {n: DeliveryState.ACCEPTED for n, told in proofs.items() if evidence(db, n, now, **told)}


def _change(one: Settlement, row: sa.Row[Any], now: datetime, *, idempotent: bool) -> dict[str, Any]:
    """The row's new values, as parameters `b_<column>`."""
    as_it_was = {"reason": "", "due_at": row.due_at, "attempts": one.claim.attempts + 1, "provider_id": ""}
    as_it_was |= {"crashes": row.crashes, "lost_at": row.lost_at}
    told = as_it_was | {"response": str(one.outcome)} | _verdict(one, row, now, idempotent=idempotent)
    if told["state"] in WAITING:
        told |= _again(told["due_at"], row.expires_at, row.place)
    if told["lost_at"] and _denies(told, idempotent=idempotent):
        told["state"] = DeliveryState.IN_DOUBT
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
            due_at = max(row.due_at, now + _ordered(after))
            return {"state": DeliveryState.PLANNED, "due_at": due_at, "attempts": one.claim.attempts}
        case Rejected():
            reason = "bad_address" if isinstance(one.outcome, BadAddress) else ""
            return {"state": DeliveryState.REJECTED, "reason": reason}
    if row.proved:
        return {"state": DeliveryState.ACCEPTED}
    state, reason = in_doubt("resend" if idempotent else row.policy, row.crashes)
    told = {"state": state, "reason": reason, "due_at": now + wait(one.claim, None), "crashes": row.crashes + 1}
    return told | ({"lost_at": now} if state is DeliveryState.PLANNED else {})


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
    return max(min(_FIRST_WAIT * times, _LONGEST_WAIT), _ordered(after))


def _ordered(after: float | None) -> timedelta:
    return timedelta(seconds=min(after or 0.0, _LONGEST_ORDER))


def _again(due_at: datetime, expires_at: datetime, place: str) -> dict[str, Any]:
    """Why a row that should be tried again will not be, if so."""
    if place == "cancelled":
        return {"state": DeliveryState.CANCELLED}
    if due_at >= expires_at:
        return {"state": DeliveryState.EXPIRED, "reason": TOO_LATE}
    return {}


def _denies(told: dict[str, Any], *, idempotent: bool) -> bool:
    """Whether the ledger would say that nobody has the message, by an answer that tells nothing of the first try."""
    refused = told["state"] is DeliveryState.REJECTED and not (told["reason"] or idempotent)
    return refused or told["state"] in {DeliveryState.CANCELLED, DeliveryState.EXPIRED}


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
