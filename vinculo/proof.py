"""What a contact said, as of any moment, with its proof; and what it implied by what it did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from dateutil.relativedelta import relativedelta

from vinculo import consent
from vinculo.consent import Consent
from vinculo.db.tables import address, contact, fact, interaction, permission, suppression
from vinculo.db.tables import consent as said
from vinculo.project.asking import Implied
from vinculo.project.schema import Policy

#: The legal basis of a consent that nobody gave in words.
IMPLIED = "implied"
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that held at a moment. *live*: it permitted a message then. The topic "" is a no to everything."""

    id: int
    channel: str
    topic: str
    granted: bool
    at: datetime
    source: str
    legal_basis: str
    text_hash: str
    expires_at: datetime | None
    live: bool


def refused(db: sa.Connection, contact_id: int) -> list[tuple[str, str, str]]:
    """The contact's addresses that are suppressed now: channel, address and why. That beats every yes."""
    a, s = address.c, suppression.c
    ask = sa.select(a.channel, a.value, s.reason).join_from(
        address, suppression, (s.channel == a.channel) & (s.address_hash == a.hash)
    )
    mine = ask.where(a.contact_id == contact_id).order_by(a.channel, a.position, a.id)
    return list(db.execute(mine).tuples())


def answers(db: sa.Connection, contact_id: int, at: datetime) -> list[Answer]:
    """The answers that held at the instant *at*, one for each channel and topic the contact had spoken of by then."""
    found: dict[tuple[str, str], Answer] = {}
    rows = list(records(db, contact_id, at))
    for row in rows:
        about = [row.topic] if row.topic else ["", *(topic for channel, topic in found if channel == row.channel)]
        for topic in dict.fromkeys(about):
            found[row.channel, topic] = row
    live = {about: row.granted and (row.expires_at is None or row.expires_at > at) for about, row in found.items()}
    told = [(about, row) for about, row in sorted(found.items())]
    return [
        Answer(row.id, channel, topic, row.granted, row.at, row.source, row.legal_basis, row.text_hash, row.expires_at,
               live[channel, topic])
        for (channel, topic), row in told
    ]  # fmt: skip


def records(db: sa.Connection, contact_id: int, until: datetime) -> Iterator[Answer]:
    """Every record of the contact up to *until*, oldest first; nothing is ever written over."""
    c = said.c
    columns = c.id, c.channel, c.topic, c.granted, c.at, c.source, c.legal_basis, c.text_hash, c.expires_at
    query = sa.select(*columns).where(c.contact_id == contact_id, c.at <= until).order_by(c.at, c.id)
    for row in db.execute(query):
        live = bool(row.granted) and (row.expires_at is None or row.expires_at > until)
        proof = row.source, row.legal_basis, row.text_hash, row.expires_at
        yield Answer(row.id, row.channel, row.topic, bool(row.granted), row.at, *proof, live)


# ── implied consent ──────────────────────────────────────────────────────────────────────────────────────────────
def imply(db: sa.Connection, policy: Policy, now: datetime) -> int:
    """Record the yes that policy.yaml sees in what contacts did; return how many. Safe to repeat.

    It holds for so many months from the newest deed, then ends by time alone; a newer deed prolongs it. It never takes
    the place of an answer in words: neither of a yes, which lasts, nor of a no.
    """
    total = 0
    for rule in policy.implied:
        for topic in rule.topics:
            for channel in rule.channels:
                deeds = _deeds(db, rule, channel, topic, now)
                for first in range(0, len(deeds), _BATCH):
                    some = deeds[first : first + _BATCH]
                    consent.record_many(db, [_implied(rule, channel, topic, who, at) for who, at in some])
                total += len(deeds)
    return total


def _deeds(db: sa.Connection, rule: Implied, channel: str, topic: str, now: datetime) -> Sequence[tuple[int, datetime]]:
    """Contacts whose newest deed of the rule's kind implies more than is on record, with its date."""
    f, p, i = fact.c, permission.c, interaction.c
    # A deed on 31 August is over on 28 February: what is a day too early here is looked at again below.
    begins = now - relativedelta(months=rule.months, days=4)
    here = sa.and_(p.contact_id == f.contact_id, p.channel == channel, p.topic == topic)
    everything = permission.alias("everything")
    left = sa.exists().where(
        everything.c.contact_id == f.contact_id, everything.c.channel == channel, everything.c.topic == ""
    )
    prolonged = sa.and_(p.granted, p.expires_at.is_not(None), sa.type_coerce(p.at, sa.BigInteger) < f.at_1)
    # A refund is a line of its own, below nothing: it is no deed of the contact's, and the fact's newest may be one.
    given = sa.or_(i.amount.is_(None), i.amount >= 0)
    deed = sa.select(sa.func.max(i.at)).where(i.contact_id == f.contact_id, i.kind == rule.after, given)
    query = (
        sa.select(f.contact_id, deed.scalar_subquery(), p.expires_at)
        .outerjoin_from(fact, permission, here)
        .where(f.kind == rule.after, f.at_1 > sa.literal(begins, p.at.type), sa.not_(left))
        .where(sa.or_(p.contact_id.is_(None), prolonged))
        .order_by(f.contact_id)
    )
    if rule.countries:
        query = query.join(contact, contact.c.id == f.contact_id).where(contact.c.country.in_(rule.countries))
    deeds = ((who, at, known) for who, at, known in db.execute(query) if at is not None)
    ends = relativedelta(months=rule.months)
    return [(who, at) for who, at, known in deeds if at <= now < at + ends and (known is None or known < at + ends)]


def _implied(rule: Implied, channel: str, topic: str, contact_id: int, at: datetime) -> Consent:
    ends = at + relativedelta(months=rule.months)
    return Consent(contact_id, channel, topic, True, at, rule.after, IMPLIED, expires_at=ends)
