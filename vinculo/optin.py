"""Double opt-in: a yes that counts once the contact has confirmed it by a message to its address.

The request is a delivery like any other: planned into the ledger, sent by whoever drains it, resting on the contact's
own request. Until it is confirmed no consent is recorded, so that nobody is written to about that topic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo import consent, ledger
from vinculo.db.tables import address, confirmation, delivery, permission
from vinculo.errors import UsageError, did_you_mean
from vinculo.ledger import suppressed
from vinculo.model import CampaignKind, DeliveryState, Occurrence
from vinculo.project import Project
from vinculo.project.asking import Confirm, asking
from vinculo.project.schema import Campaign

#: A message that asks has not left.
_WAITING = (DeliveryState.PLANNED, DeliveryState.DEFERRED, DeliveryState.CLAIMED)
#: It was called off or refused before anybody could have got it; unless it was written off, which tells nothing.
_NEVER_LEFT = (DeliveryState.SKIPPED, DeliveryState.CANCELLED, DeliveryState.EXPIRED, DeliveryState.REJECTED)


class Asked(StrEnum):
    """What became of a request."""

    #: The message that asks is in the ledger.
    ASKED = "asked"
    #: The contact says yes already.
    LIVE = "live"
    #: It was asked today, or as often as policy.yaml allows.
    LIMITED = "limited"
    #: No address of the contact on the channel may be written to.
    UNREACHABLE = "unreachable"
    #: The template that asks has no part for the channel, or no connector serves it.
    UNABLE = "unable"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that a message asked the contact to confirm."""

    id: int
    contact_id: int
    channel: str
    topic: str
    asked_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None
    text_hash: str


def needed(project: Project, topic: str) -> bool:
    """Whether a yes to *topic* must be confirmed."""
    return project.policy.confirm is not None and topic in project.policy.confirm.topics


def possible(project: Project, channel: str, topic: str) -> bool:
    """Whether a contact can say yes to *topic* on *channel*: where a yes must be confirmed, we must be able to ask."""
    return not needed(project, topic) or channel in project.asks


def campaigns(project: Project) -> dict[str, str]:
    """Under which names the ledger keeps the messages that ask, and the topic that each asks about."""
    return project.policy.confirm.campaigns if project.policy.confirm else {}


def ask(  # noqa: PLR0913 - what a consent is, and where it comes from
    db: sa.Connection, project: Project, contact_id: int, channel: str, topic: str, now: datetime, *,
    source: str, text_hash: str = "",
) -> Asked:  # fmt: skip
    """Ask the contact to confirm its yes. Raises `UsageError` when policy.yaml does not say so of *topic*."""
    confirm = _confirm(project, topic)
    if consent.live(db, contact_id, now).get((channel, topic)):
        return Asked.LIVE
    if channel not in project.asks:
        return Asked.UNABLE
    ledger.plan_for(db, contact_id)
    value = _reached(db, contact_id, channel)
    if value is None:
        return Asked.UNREACHABLE
    campaign, day = _campaign(confirm, channel, topic), _free(db, contact_id, _day(project, topic, now))
    if day is None or _often(db, confirm, contact_id, channel, now):
        _ask_anew(db, contact_id, channel, topic, now)
        return Asked.LIMITED
    row = {"contact_id": contact_id, "channel": channel, "topic": topic, "source": source, "text_hash": text_hash}
    ends = now + confirm.expires
    db.execute(sa.insert(confirmation).values(**row, asked_at=now, expires_at=ends))
    ledger.plan(db, campaign, day, _message(contact_id, value, campaign, now, ends), now, joining=True)
    return Asked.ASKED


def request(db: sa.Connection, delivery_id: int) -> Request | None:
    """The request that a delivery asked to confirm; None when it asked for nothing."""
    d, c = delivery.c, confirmation.c
    same = sa.and_(c.contact_id == d.contact_id, c.channel == d.channel, c.topic == d.topic)
    columns = c.id, c.contact_id, c.channel, c.topic, c.asked_at, c.expires_at, c.confirmed_at, c.text_hash
    query = sa.select(*columns).join_from(delivery, confirmation, sa.and_(same, c.expires_at == d.lapses_at))
    row = db.execute(query.where(d.id == delivery_id, d.basis == "request").order_by(c.id.desc())).first()
    return Request(*row) if row else None


def confirmed(db: sa.Connection, number: int, now: datetime) -> None:
    """Note that a request was confirmed; a second time changes nothing."""
    c = confirmation.c
    db.execute(sa.update(confirmation).where(c.id == number, c.confirmed_at.is_(None)).values(confirmed_at=now))


def _confirm(project: Project, topic: str) -> Confirm:
    confirm = project.policy.confirm
    if confirm is None:
        raise UsageError("Nothing needs to be confirmed", "Say `confirm: {topics: […]}` in plan/policy.yaml.")
    if topic not in confirm.topics:
        raise UsageError(f"`{topic}` needs no confirmation", did_you_mean(topic, confirm.topics))
    return confirm


def _reached(db: sa.Connection, contact_id: int, channel: str) -> str | None:
    """The contact's first address on *channel* that is not suppressed: suppression beats all."""
    a = address.c
    ours = sa.select(a.value).where(a.contact_id == contact_id, a.channel == channel)
    return db.scalar(ours.where(sa.not_(suppressed(a.channel, a.hash))).order_by(a.position, a.id).limit(1))


def _often(db: sa.Connection, confirm: Confirm, contact_id: int, channel: str, now: datetime) -> bool:
    c = confirmation.c
    mine = sa.select(sa.func.count()).where(c.contact_id == contact_id, c.channel == channel)
    return (db.scalar(mine.where(c.asked_at > now - confirm.within)) or 0) >= confirm.at_most


def _free(db: sa.Connection, contact_id: int, day: Occurrence) -> Occurrence | None:
    """The occurrence of *day* to ask in: its first, and another for each message that never left; None if one may have.

    Counted, so that who asks twice at the same moment finds the same one, which has one message.
    """
    d = delivery.c
    never_left = sa.and_(d.state.in_(_NEVER_LEFT), d.reason != ledger.WRITTEN_OFF)
    mine = sa.select(never_left).where(d.campaign == day.campaign, d.contact_id == contact_id)
    while again := db.scalar(mine.where(d.occurrence == day.key)):
        day = replace(day, local=day.local + timedelta(minutes=1))
    return day if again is None else None


def _ask_anew(db: sa.Connection, contact_id: int, channel: str, topic: str, now: datetime) -> None:
    """Whoever said no and asks again while the message has not left gets it: the last word counts."""
    d, c, p = delivery.c, confirmation.c, permission.c
    mine = c.contact_id == contact_id, c.channel == channel, c.topic == topic
    same = d.contact_id == c.contact_id, d.channel == c.channel, d.topic == c.topic, d.lapses_at == c.expires_at
    waits = sa.exists().where(*same, d.basis == "request", d.state.in_(_WAITING))
    theirs = p.contact_id == c.contact_id, p.channel == c.channel, p.topic.in_([topic, ""])
    refused = sa.exists().where(*theirs, sa.not_(p.granted), p.at > c.asked_at)
    db.execute(sa.update(confirmation).where(*mine, waits, refused).values(asked_at=now))


def _day(project: Project, topic: str, now: datetime) -> Occurrence:
    """One message a day and topic that leaves: the ledger's key sees to it."""
    home = project.settings.company.timezone
    return Occurrence(asking(topic), datetime.combine(now.astimezone(ZoneInfo(home)).date(), time()), home)


def _campaign(confirm: Confirm, channel: str, topic: str) -> Campaign:
    """The campaign that the request is, for the ledger, the renderer and reports. Its segment is who asked."""
    return Campaign(
        name=asking(topic),
        kind=CampaignKind.SERVICE,
        segment="confirm",
        topic=topic,
        channels=[channel],
        template=confirm.template,
        priority=90,
        expires=confirm.expires,
        open_tracking="off",
    )


def _message(
    contact_id: int, value: str, campaign: Campaign, now: datetime, ends: datetime
) -> sa.Select[tuple[object]]:
    """The one row of the allocation."""
    instant = delivery.c.due_at.type
    texts: Mapping[str, str] = {
        "state": "planned", "reason": "", "channel": campaign.channels[0], "address": value, "variant": "",
        "topic": campaign.topic, "basis": "request",
    }  # fmt: skip
    return sa.select(
        sa.literal(contact_id, sa.BigInteger).label("contact_id"),
        *(sa.literal(text, sa.Text).label(name) for name, text in texts.items()),
        *(
            sa.literal(at, instant).label(name)
            for name, at in (("due_at", now), ("expires_at", ends), ("lapses_at", ends))
        ),
        sa.literal(campaign.priority).label("priority"),
        sa.cast(sa.null(), sa.BigInteger).label("consent_id"),
    )
