"""Questions to the ledger that change nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import contact, control, delivery, occurrence
from vinculo.ledger.postponing import TURN
from vinculo.ledger.row import CLAIM, WAITING, WRITTEN_OFF, Claim, D, claim_of, doubted, scope, waiting
from vinculo.model import DeliveryState, SkipReason

#: By no more do the clocks of two machines differ.
_CLOCKS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one contact in one occurrence. *at*: when it was settled, or until when it waits."""

    occurrence: str
    state: str
    reason: str
    words: str
    channel: str
    address: str
    variant: str
    attempts: int
    at: datetime | None
    response: str
    rests_on: str


@dataclass(frozen=True, slots=True)
class Place:
    """One occurrence as it was planned; *definition* is the campaign's file of that time."""

    campaign: str
    occurrence: str
    state: str
    due_at: datetime
    definition: dict[str, Any]


def counts(db: sa.Connection, campaign: str, occurrence: str = "") -> dict[tuple[str, str], int]:
    """The number of rows per state and reason."""
    query = sa.select(D.state, D.reason, sa.func.count()).where(*scope(campaign, occurrence))
    return {(state, reason): n for state, reason, n in db.execute(query.group_by(D.state, D.reason).order_by("state"))}


def open_rows(db: sa.Connection, campaign: str, occurrence: str) -> int:
    """How many rows of an occurrence are open. Each kind has an index of its own: what is settled costs nothing."""
    query = sa.select(sa.func.count()).select_from(delivery).where(*scope(campaign, occurrence))
    few = sa.select(sa.func.count()).select_from(delivery).where(*_few_of(campaign, occurrence))
    kinds = query.where(waiting()), query.where(doubted()), few.where(D.lease_until.is_not(None))
    # One statement sees one moment: else a row that a worker takes meanwhile was counted twice.
    return sum(db.execute(sa.select(*(kind.scalar_subquery() for kind in kinds))).one())


def unsettled(db: sa.Connection) -> dict[str, int]:
    """How many rows of the whole ledger wait or are under way (`waiting`), and how many are `in_doubt`.

    Asked as `open_rows` asks: what is settled, nearly all of the ledger, is not looked at.
    """
    query = sa.select(sa.func.count()).select_from(delivery)
    held = query.where(D.lease_until.is_not(None), D.state.in_([DeliveryState.CLAIMED, DeliveryState.SUBMITTING]))
    kinds = query.where(waiting()), held, query.where(doubted())
    waits, under_way, doubt = (kind.scalar_subquery() for kind in kinds)
    row = db.execute(sa.select((waits + under_way).label("waiting"), doubt.label("in_doubt"))).one()
    return {"waiting": row.waiting, "in_doubt": row.in_doubt}


def sent_since(db: sa.Connection, since: datetime) -> int:
    """How many messages that a provider accepted were handed over after *since*.

    Looked for in those occurrences alone that were not finished long before: from then on nothing of them is sent.
    """
    o = occurrence.c
    mine = D.campaign == o.campaign, D.occurrence == o.occurrence, D.state == DeliveryState.ACCEPTED
    # A question for each occurrence: SQLite would begin a join with the whole ledger.
    sent = sa.select(sa.func.count()).select_from(delivery).where(*mine, D.submitted_at > since).scalar_subquery()
    return int(db.scalar(sa.select(sa.func.coalesce(sa.func.sum(sent), 0)).where(alive_since(since))) or 0)


def alive_since(since: datetime) -> sa.ColumnElement[bool]:
    """The occurrences of which something may have been handed over after *since*: not finished long before."""
    o = occurrence.c
    return sa.or_(o.finished_at.is_(None), o.finished_at > since - _CLOCKS)


def next_due(db: sa.Connection, campaign: str = "", occurrence: str = "") -> datetime | None:
    """When the next row is due that waits for its time; None when none waits."""
    query = sa.select(sa.func.min(D.due_at)).where(waiting(), *scope(campaign, occurrence))
    due: datetime | None = db.scalar(query)
    return due


def due_of(db: sa.Connection, campaigns: Collection[str], now: datetime) -> list[str]:
    """Those of *campaigns* of which something is due."""
    query = sa.select(D.campaign).where(waiting(), D.campaign.in_(campaigns), D.due_at <= now).distinct()
    return sorted(db.scalars(query))


def held_until(db: sa.Connection, campaign: str, occurrence: str, now: datetime) -> datetime | None:
    """When all that workers hold of an occurrence is free again, should they have died; None: nobody holds any."""
    until: datetime | None = db.scalar(
        sa.select(sa.func.max(D.lease_until)).where(D.lease_until > now, *_few_of(campaign, occurrence))
    )
    return until


def _few_of(campaign: str, occurrence: str) -> list[sa.ColumnElement[bool]]:
    """Those of a campaign, or of its occurrence, said so that no index has them.

    SQLite would rather look at every row of the occurrence than at the few that workers hold.
    """
    named = [(D.campaign, campaign), (D.occurrence, occurrence)]
    return [column.concat("") == name for column, name in named if name]


def open_occurrences(db: sa.Connection) -> list[Place]:
    """The occurrences that are held or open, in the order of their time."""
    o = occurrence.c
    query = sa.select(o.campaign, o.occurrence, o.state, o.due_at, o.definition).where(o.state.in_(["held", "open"]))
    return [Place(*row) for row in db.execute(query.order_by(o.due_at, o.campaign, o.occurrence))]


def place(db: sa.Connection, campaign: str, name: str) -> Place | None:
    """One occurrence as it was planned; None when it was not."""
    o = occurrence.c
    query = sa.select(o.campaign, o.occurrence, o.state, o.due_at, o.definition)
    row = db.execute(query.where(o.campaign == campaign, o.occurrence == name)).first()
    return Place(*row) if row else None


def sent_on(db: sa.Connection, campaign: str, day: date) -> list[Place]:
    """The occurrences of *campaign* on the local date *day* that were sent to somebody, or may still be, by time."""
    o = occurrence.c
    nobody = DeliveryState.SKIPPED, DeliveryState.CANCELLED, DeliveryState.EXPIRED
    sent = sa.exists().where(D.campaign == o.campaign, D.occurrence == o.occurrence, D.state.not_in(nobody))
    query = sa.select(o.campaign, o.occurrence, o.state, o.due_at, o.definition)
    ours = query.where(o.campaign == campaign, o.occurrence.startswith(f"{day}T"), sent)
    return [Place(*row) for row in db.execute(ours.order_by(o.planned_at, o.occurrence))]


def cause(db: sa.Connection, campaign: str) -> str:
    """Why *campaign* is paused or cancelled, as far as anybody said; "" when it is neither, or nobody said."""
    return db.scalar(sa.select(control.c.reason).where(control.c.campaign == campaign)) or ""


def last_claim(db: sa.Connection, delivery_id: int) -> Claim | None:
    """The delivery with this number as its last claim left it; None when there is none."""
    row = db.execute(sa.select(*CLAIM).where(D.id == delivery_id)).first()
    return claim_of(row) if row else None


def export(db: sa.Connection, campaign: str) -> list[tuple[str, ...]]:
    """A campaign's rows without ids and times, in a fixed order: two ledgers are equal when their exports are."""
    o, key = D.occurrence, contact.c.key
    columns = (o, key, D.state, D.reason, D.channel, D.address, D.topic, D.variant, sa.cast(D.attempts, sa.Text))
    rows = db.execute(sa.select(*columns).join(contact, contact.c.id == D.contact_id).where(D.campaign == campaign))
    return sorted(tuple(row) for row in rows)  # Python's order: the databases' depend on their collation


def why(db: sa.Connection, contact_id: int, campaign: str) -> list[Verdict]:
    """What became of a contact in each occurrence of *campaign*, and why, latest first; empty: never in it."""
    o = occurrence.c
    query = (
        sa.select(
            *delivery.c, o.state.label("place"), control.c.state.label("standing"), control.c.reason.label("cause")
        )
        .join(occurrence, sa.and_(o.campaign == D.campaign, o.occurrence == D.occurrence))
        .outerjoin(control, control.c.campaign == D.campaign)
        .where(D.campaign == campaign, D.contact_id == contact_id)
        .order_by(o.due_at.desc(), D.occurrence.desc())
    )
    return [_verdict(row) for row in db.execute(query)]


def _verdict(row: sa.Row[Any]) -> Verdict:
    waits = row.due_at if row.state in WAITING else None
    return Verdict(
        row.occurrence, row.state, row.reason, _words(row), row.channel, row.address, row.variant, row.attempts,
        row.settled_at or waits or row.submitted_at, row.response, _rests_on(row),
    )  # fmt: skip


def _rests_on(row: sa.Row[Any]) -> str:
    """On what it rested that the contact was written to, or may be."""
    ends = f" until {row.lapses_at:%Y-%m-%d %H:%M} UTC" if row.lapses_at else ""
    return {
        "consent": f"Rests on the consent #{row.consent_id}{ends}.",
        "service": "Rests on what the contact needs to know anyway (service): no consent is needed.",
        "request": f"Rests on the contact's own request{ends}.",
        "earlier": "Sent before the ledger wrote down on what a message rests.",
    }.get(row.basis, "")


def _words(row: sa.Row[Any]) -> str:
    if row.state in WAITING:
        return _awaited(row)
    state, reason = DeliveryState(row.state), str(row.reason)
    return _REASONS.get((state, reason)) or _STATES[state]


def _awaited(row: sa.Row[Any]) -> str:
    """What a waiting row waits for."""
    if row.place == "held":
        return "Waits for approval."
    if row.standing:
        return f"Waits: the campaign is {row.standing}" + (f" ({row.cause})." if row.cause else ".")
    if row.reason == TURN:
        return "Waits for its turn: a rate or a daily cap is set, or the provider asked us to slow down."
    if row.state == DeliveryState.DEFERRED:
        return "The provider asked to try again later; waits for its next attempt."
    return "Waits for its time, or for a worker."


_STATES = {
    DeliveryState.CLAIMED: "In a worker's hands, not yet handed over.",
    DeliveryState.SUBMITTING: "Being handed over to the provider at this moment.",
    DeliveryState.ACCEPTED: "Accepted by the provider.",
    DeliveryState.IN_DOUBT: "Handed over or not? Waits for evidence or for `vinculo resolve`.",
    DeliveryState.CANCELLED: "Cancelled before it was handed over.",
    DeliveryState.REJECTED: "The provider refused the message for good.",
    DeliveryState.SKIPPED: "Left out.",
    DeliveryState.EXPIRED: "Could not be handed over before it was too old.",
}
_SKIPPED = {
    SkipReason.EXCLUDED: "In a segment that the campaign excludes.",
    SkipReason.NO_ADDRESS: "No address on any channel of the campaign.",
    SkipReason.SUPPRESSED: "Every address on the campaign's channels is suppressed.",
    SkipReason.NO_CONSENT: "No live consent for the topic on a channel that reaches the contact.",
    SkipReason.TOO_COSTLY: "The channels that reach the contact cost more than its tier pays for.",
    SkipReason.PAUSED: "The contact asked for a pause.",
    SkipReason.REPROACH: "Its negative feedback is not dealt with: no promotion until the conversation is closed.",
    SkipReason.HOLDOUT: "Left out on purpose, to measure.",
    SkipReason.DUPLICATE_ADDRESS: "Another contact with the same address gets it.",
    SkipReason.FREQUENCY_CAP: "Has had as many messages as the policy, or the contact's own wish, allows.",
    SkipReason.QUIET_HOURS: "Quiet hours last until it is too old to send.",
    SkipReason.RENDER_ERROR: "The template could not be rendered for this contact.",
    SkipReason.QUARANTINED: "Three workers died on it: a person must look.",
    SkipReason.MISSED: "The occurrence came too late, and the campaign says to skip it then.",
}
_REASONS: dict[tuple[DeliveryState, str], str] = {
    (DeliveryState.REJECTED, "bad_address"): "The address does not exist; it is suppressed.",
    (DeliveryState.REJECTED, WRITTEN_OFF): "Handed over or not? Written off.",
    (
        DeliveryState.IN_DOUBT,
        SkipReason.QUARANTINED,
    ): "Three workers died on it: a person must look, and `vinculo resolve`.",
    **{(DeliveryState.SKIPPED, reason): words for reason, words in _SKIPPED.items()},
}
