"""An answer becomes a delivery: a row of the ledger for one contact, sent by the code that sends everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo import ledger
from vinculo.db.tables import address, delivery
from vinculo.model import CampaignKind, DeliveryState, Occurrence
from vinculo.project import Project
from vinculo.project.answers import TOPIC
from vinculo.project.schema import Campaign

#: An answer that could not be handed over for so long is no answer any more.
_EXPIRES = timedelta(days=3)
#: Before anything that was not asked for.
_FIRST = 100


@dataclass(frozen=True, slots=True)
class Way:
    """Where an answer goes."""

    channel: str
    address: str


def way_to(db: sa.Connection, project: Project, contact_id: int, channel: str, wished: str) -> Way | None:
    """Where the contact is answered on *channel*: at the address *wished*, if it is the contact's, else at the first.

    None when there is none that may be written to, or no connector serves the channel. Nobody erases or merges the
    contact until the transaction ends.
    """
    if channel not in project.settings.channels:
        return None
    ledger.plan_for(db, contact_id)
    a = address.c
    mine = sa.select(a.value).where(a.contact_id == contact_id, a.channel == channel)
    mine = mine.where(~ledger.suppressed(a.channel, a.hash))
    first = sa.case((sa.func.lower(a.value) == wished.lower(), 0), else_=1)
    value = db.scalar(mine.order_by(first, a.position, a.id).limit(1))
    return Way(channel, value) if value else None


def day_of(project: Project, name: str, now: datetime) -> Occurrence:
    """The company's day as an occurrence of *name*: the ledger has one delivery for a contact in it, and no second."""
    home = project.settings.company.timezone
    return Occurrence(name, datetime.combine(now.astimezone(ZoneInfo(home)).date(), time()), home)


def post(
    db: sa.Connection, occurrence: Occurrence, contact_id: int, way: Way, now: datetime, *, template: str
) -> int | None:
    """Plan the delivery and return its number; None when the contact has one of this occurrence."""
    instant = delivery.c.due_at.type
    row = sa.select(
        sa.literal(contact_id).label("contact_id"),
        sa.literal(DeliveryState.PLANNED.value).label("state"),
        sa.literal("").label("reason"),
        sa.literal(way.channel).label("channel"),
        sa.literal(way.address).label("address"),
        sa.literal("").label("variant"),
        sa.literal(now, instant).label("due_at"),
        sa.literal(now + _EXPIRES, instant).label("expires_at"),
        sa.literal(_FIRST).label("priority"),
        sa.literal(TOPIC).label("topic"),
    )
    if not ledger.plan(db, _campaign(occurrence.campaign, way.channel, template), occurrence, row, now, joining=True):
        return None
    d = delivery.c
    mine = d.campaign == occurrence.campaign, d.occurrence == occurrence.key, d.contact_id == contact_id
    return db.scalar(sa.select(d.id).where(*mine))


def _campaign(name: str, channel: str, template: str) -> Campaign:
    """What the ledger, the renderer and reports call a campaign: nobody is selected, nothing is counted."""
    return Campaign(
        name=name,
        kind=CampaignKind.SERVICE,
        segment="conversation",
        topic=TOPIC,
        channels=[channel],
        template=template,
        open_tracking="off",
    )
