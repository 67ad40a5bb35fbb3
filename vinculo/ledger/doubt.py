"""What is in doubt: listed, settled by later evidence or by a person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from vinculo.db.tables import alias, contact, delivery, interaction, merging, occurrence
from vinculo.ledger.row import (
    CLAIM,
    WAITING,
    WRITTEN_OFF,
    Claim,
    D,
    back_to_planned,
    change,
    claim_of,
    doubted,
    lock,
    lost,
    planned_again,
    scope,
    state_is,
)
from vinculo.model import DeliveryState, EventKind

Decision = Literal["accepted", "resend", "write_off"]
#: What only a message that was accepted can cause.
PROOF = (
    *(EventKind.DELIVERED, EventKind.BOUNCED, EventKind.COMPLAINED, EventKind.OPENED, EventKind.CLICKED),
    *(EventKind.REPLIED, EventKind.AUTO_REPLIED),
)
#: What a person sends again has at least so long.
_GRACE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Doubt:
    """One row in doubt, as a person sees it. *since*: when it was handed over."""

    id: int
    campaign: str
    occurrence: str
    contact: str
    channel: str
    since: datetime | None
    reason: str
    response: str


def in_doubt(db: sa.Connection, campaign: str = "", occurrence: str = "") -> list[Doubt]:
    """The rows of which nobody can tell whether they were accepted, oldest first."""
    query = (
        sa.select(D.id, D.campaign, D.occurrence, contact.c.key, D.channel, D.submitted_at, D.reason, D.response)
        .join(contact, contact.c.id == D.contact_id)
        .where(doubted(), *scope(campaign, occurrence))
        .order_by(D.submitted_at, D.id)
    )
    return [Doubt(*row) for row in db.execute(query)]


def resolve(db: sa.Connection, ids: Collection[int], decision: Decision, now: datetime) -> list[Claim]:
    """Settle rows in doubt as a person decides; return those it was done for: record the accepted in the history.

    `resend` gives a row a new chance at once, also one that would have expired: it may arrive twice. What its contact
    has, or may have, as one that became part of it stays in doubt.
    """
    lock(db, ids)
    which = [D.id.in_(ids), D.state == DeliveryState.IN_DOUBT]
    which += [sa.not_(_had_as_another())] if decision == "resend" else []
    return _settle(db, which, **_values(decision, now))


def had(db: sa.Connection, ids: Collection[int]) -> int:
    """Of the rows *ids* the number of those that are not sent again: their contact has it as one that it was merged
    with.
    """
    return len(db.scalars(sa.select(D.id).where(D.id.in_(ids), _had_as_another())).all())


def _had_as_another() -> sa.ColumnElement[bool]:
    """Whether a row's contact has, or may have, the message as one that was merged into it."""
    other = delivery.alias("other")
    same = other.c.campaign == D.campaign, other.c.occurrence == D.occurrence
    merged = alias.c.contact_id == D.contact_id, alias.c.key == "#" + sa.cast(other.c.contact_id, sa.Text)
    out = other.c.state.in_([DeliveryState.SUBMITTING, DeliveryState.IN_DOUBT, DeliveryState.ACCEPTED])
    return sa.exists().where(*same, *merged, out)


def _values(decision: Decision, now: datetime) -> dict[str, Any]:
    if decision == "accepted":
        return {"state": DeliveryState.ACCEPTED, "reason": "", "settled_at": now}
    if decision == "write_off":
        return {"state": DeliveryState.REJECTED, "reason": WRITTEN_OFF, "settled_at": now}
    chance = sa.literal(now + _GRACE, D.expires_at.type)
    expires_at = sa.case((D.expires_at < chance, chance), else_=D.expires_at)
    again = {"state": planned_again(), "reason": "", "lost_at": now}
    return again | {"due_at": now, "expires_at": expires_at, "crashes": 0}


def evidence(db: sa.Connection, delivery_id: int, now: datetime, **told: str) -> Claim | None:
    """An event proves that a message was accepted: settle its row if it was in doubt, written off or to be sent again.

    Also if it was refused when it was sent again: one of two answers that contradict each other is a receipt.
    *told*: the columns of its receipt, if it is one. Returns what to record in the history; None: it was not in doubt.
    """
    written_off = sa.and_(D.state == DeliveryState.REJECTED, D.reason == WRITTEN_OFF)
    again = sa.and_(lost(), state_is(*WAITING, DeliveryState.CLAIMED, DeliveryState.REJECTED))
    doubted = [D.id == delivery_id, sa.or_(D.state == DeliveryState.IN_DOUBT, written_off, again)]
    lock(db, [delivery_id])  # its worker may be writing at this moment that no answer came
    return next(iter(_settle(db, doubted, **_values("accepted", now), **told)), None)


def proved() -> sa.ColumnElement[bool]:
    """Whether an event that came while a row was being handed over proves that its message was accepted."""
    i = interaction.c
    named = sa.func.coalesce(i.data["matched_by"].as_string(), "") == ""  # not guessed by its address
    return sa.exists().where(i.contact_id == D.contact_id, i.kind.in_(PROOF), i.delivery_id == D.id, named)


def renamed(db: sa.Connection, ids: Collection[int]) -> set[int]:
    """Of the rows *ids*, those whose contact was joined into another, or parted from it, since they were handed over.

    Their key names another contact now: a provider that dedupes would take them for new.
    """
    m = merging.c
    since = sa.or_(m.at >= D.submitted_at, m.undone_at >= D.submitted_at)
    of_it = sa.or_(m.contact_id == D.contact_id, m.joined_id == D.contact_id)
    return set(db.scalars(sa.select(D.id).where(D.id.in_(ids), sa.exists().where(since, of_it))))


def forget(db: sa.Connection, channels: Collection[str], now: datetime) -> int:
    """Give up what only the provider that served *channels* before would know again; return how many rows.

    Another takes our key for new. So what is being handed over, and what was to be sent again because its provider
    dedupes, is in doubt, or written off, as its campaign says. Where that says `resend`, or a person did, it is sent.
    What a worker holds is free again: should it die handing that over to the one before, nobody would know to whom.
    """
    o = occurrence.c
    here = o.campaign == D.campaign, o.occurrence == D.occurrence
    policy: Any = sa.func.coalesce(sa.select(o.definition["in_doubt"].as_string()).where(*here).scalar_subquery(), "")
    again = sa.and_(lost(), D.crashes > 0, state_is(*WAITING, DeliveryState.CLAIMED))  # 0: a person sends it again
    out, held = state_is(DeliveryState.SUBMITTING), state_is(DeliveryState.CLAIMED)
    unknown = sa.and_(sa.or_(sa.and_(out, sa.not_(proved())), again), policy != "resend")
    free, off = sa.and_(held, sa.not_(sa.and_(again, policy != "resend"))), policy == "write_off"
    values = {
        "state": sa.case(
            (free, back_to_planned()), (off, DeliveryState.REJECTED.value), else_=DeliveryState.IN_DOUBT.value
        ),
        "reason": sa.case((free, ""), (off, WRITTEN_OFF), else_=""),
        "settled_at": sa.case((free, sa.null()), (off, sa.literal(now, D.settled_at.type)), else_=sa.null()),
        "response": sa.case((free, D.response), else_="its provider was changed before it had answered"),
        "lease_until": None,
    }
    ids = sa.select(D.id).where(D.channel.in_(channels), sa.or_(unknown, held))
    in_order = ids.order_by(D.id).with_for_update(of=delivery)
    left = db.scalars(change(in_order, **values).returning(D.state)).all()
    return sum(state in {DeliveryState.IN_DOUBT, DeliveryState.REJECTED} for state in left)


def _settle(db: sa.Connection, which: list[sa.ColumnElement[bool]], **values: Any) -> list[Claim]:
    update = sa.update(delivery).where(*which).values(**values, lease_until=None)
    rows = db.execute(update.returning(*CLAIM)).all()
    return [claim_of(row) for row in sorted(rows, key=lambda row: row.id)]
