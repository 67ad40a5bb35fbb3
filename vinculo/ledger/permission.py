"""May we write to this contact on this channel about this topic? The one rule, for the audience and for the last check.

- An address on the suppression list is never written to.
- A topic needs a live consent: granted, not withdrawn since, not expired.
- What the contact needs to know anyway (kind or topic `service`: receipts, changes of an order) needs none, but a
  withdrawal of it, or of everything on the channel (topic ""), is honoured.
- An answer to what the contact wrote (topic `answer`) needs none: who says "stop" is told that it was heard.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from vinculo.db.tables import address, confirmation, delivery, occurrence, permission, suppression
from vinculo.model import CampaignKind
from vinculo.project.answers import TOPIC as ANSWER
from vinculo.project.schema import Campaign

#: The topic that needs no consent, whatever the campaign's kind.
SERVICE_TOPIC = "service"

Column = sa.ColumnElement[str] | sa.Column[str]


def is_service(kind: Column, topic: Column) -> sa.ColumnElement[bool]:
    """Whether a message needs no consent on record."""
    return sa.or_(kind == CampaignKind.SERVICE.value, topic == SERVICE_TOPIC)


def serves(campaign: Campaign) -> bool:
    """Whether a campaign's messages need no consent on record."""
    return campaign.kind == CampaignKind.SERVICE or campaign.topic == SERVICE_TOPIC


def consents(
    contact_id: sa.ColumnElement[int], channel: Column, topic: Column, service: sa.ColumnElement[bool], at: datetime
) -> sa.ColumnElement[bool]:
    """Whether the contact lets us write on *channel* about *topic* at the instant *at*."""
    given = permission.c
    here = sa.and_(given.contact_id == contact_id, given.channel == channel)
    live = sa.or_(given.expires_at.is_(None), given.expires_at > at)
    granted = sa.exists().where(here, given.topic == topic, given.granted, live)
    answered = sa.exists().where(here, given.topic == topic, given.granted)  # an expired yes is no withdrawal
    withdrawn = sa.exists().where(here, given.topic.in_([topic, ""]), sa.not_(given.granted))
    return sa.case((service, sa.or_(topic == ANSWER, answered, sa.not_(withdrawn))), else_=granted)


def answered(
    campaign: Campaign, said: sa.FromClause, everything: sa.FromClause, at: datetime
) -> sa.ColumnElement[bool]:
    """`consents` over rows that are joined: the answer to the campaign's topic, and the one to all (topic "").

    Either may be missing: its columns are NULL then.
    """
    if serves(campaign):
        refused = sa.or_(sa.not_(sa.func.coalesce(said.c.granted, sa.true())), everything.c.contact_id.is_not(None))
        return sa.or_(sa.func.coalesce(said.c.granted, sa.false()), sa.not_(refused))
    live = sa.or_(said.c.expires_at.is_(None), said.c.expires_at > at)
    return sa.and_(sa.func.coalesce(said.c.granted, sa.false()), live)


def suppressed(channel: Column, address_hash: Column) -> sa.ColumnElement[bool]:
    """Whether an address is on the suppression list."""
    return sa.exists().where(suppression.c.channel == channel, suppression.c.address_hash == address_hash)


def row_consents(at: datetime) -> sa.ColumnElement[bool]:
    """`consents` for a row of the ledger, by the definition its occurrence was planned with."""
    row = delivery.c
    kind = (
        sa.select(occurrence.c.definition["kind"].as_string())
        .where(occurrence.c.campaign == row.campaign, occurrence.c.occurrence == row.occurrence)
        .scalar_subquery()
    )
    return row_rests(consents(row.contact_id, row.channel, row.topic, is_service(kind, row.topic), at), at)


def row_rests(consented: sa.ColumnElement[bool], at: datetime) -> sa.ColumnElement[bool]:
    """Whether what a row of the ledger rests on still holds: the database refuses to hand it over otherwise.

    A message that asks for a confirmation rests on the contact's own request, until that expires or it says no.
    """
    row = delivery.c
    lasts = sa.or_(row.lapses_at.is_(None), row.lapses_at > at)
    return sa.and_(lasts, sa.case((row.basis == "request", sa.not_(_refused_since())), else_=consented))


def _refused_since() -> sa.ColumnElement[bool]:
    """Whether a contact that had asked for a row's message has said no to its topic, or to all, since it asked."""
    row, said, asked = delivery.c, permission.c, confirmation.c
    question = sa.and_(asked.contact_id == row.contact_id, asked.channel == row.channel, asked.topic == row.topic)
    no = sa.and_(said.contact_id == row.contact_id, said.channel == row.channel, said.topic.in_([row.topic, ""]))
    return (
        sa.exists()
        .where(question, asked.expires_at == row.lapses_at)
        .where(no, sa.not_(said.granted), said.at > asked.asked_at)
    )


def row_reachable() -> sa.ColumnElement[bool]:
    """Whether the address of a row of the ledger is still the contact's and not suppressed."""
    row = delivery.c
    return (
        sa.exists()
        .where(address.c.contact_id == row.contact_id, address.c.channel == row.channel)
        .where(address.c.value == row.address, sa.not_(suppressed(address.c.channel, address.c.hash)))
    )
