"""Which delivery, and which contact, an event speaks of. No match beats a wrong match."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from vinculo import contacts
from vinculo.db.tables import address, alias, contact, delivery
from vinculo.errors import UsageError
from vinculo.inbox.events import token_number
from vinculo.model import Event, EventKind
from vinculo.signing import Signer

#: An address alone names a delivery only so long after it left. Mail servers give up after five days.
RECENT = timedelta(days=30)
_LOOKED_AT = 20
#: Kinds that answer a message, so that one without any mark is taken to answer the newest one.
_ANSWERS = frozenset(
    {
        EventKind.QUEUED,
        EventKind.SENT,
        EventKind.REJECTED,
        EventKind.FAILED,
        EventKind.DEFERRED,
        EventKind.DELIVERED,
        EventKind.BOUNCED,
        EventKind.COMPLAINED,
        EventKind.OPENED,
        EventKind.CLICKED,
        EventKind.REPLIED,
        EventKind.AUTO_REPLIED,
        EventKind.UNSUBSCRIBED,
    }
)
#: What a person says.
_WRITTEN = frozenset({EventKind.REPLIED, EventKind.INBOUND})
#: Anybody can write a mail that looks like one of these: an address alone is believed only of one we just wrote to.
_NEEDS_DELIVERY = frozenset({EventKind.BOUNCED, EventKind.COMPLAINED, EventKind.DELIVERED, EventKind.DEFERRED})


@dataclass(frozen=True, slots=True)
class Sent:
    """What we need to know of a delivery."""

    id: int
    contact_id: int
    campaign: str
    occurrence: str
    channel: str
    address: str
    topic: str
    response: str


@dataclass(frozen=True, slots=True)
class Match:
    """Whom an event is about, and the delivery it answers, if any. *sure*: it names the delivery itself."""

    contact_id: int
    sent: Sent | None = None
    sure: bool = False


_SENT = [delivery.c[name] for name in Sent.__dataclass_fields__]
_Where = sa.ColumnElement[bool]


def find(db: sa.Connection, event: Event, signer: Signer) -> Match | None:
    """Find the delivery by token, key, Message-ID, then address; else the contact by key, then by address."""
    for where in _deliveries(event, signer):
        sent = _sent(db, where)
        if sent:
            owner = contacts.living(db, sent.contact_id)
            writer = _writer(db, event, sent) if event.kind in _WRITTEN else None
            if writer is not None and writer != owner:
                return Match(writer)  # who was forwarded the message answers it: what is said is not its addressee's
            return None if owner is None else Match(owner, sent, sure=True)
    recent = _recent(db, event) if event.kind in _ANSWERS and event.address else None
    if recent:
        return Match(recent.contact_id, recent)
    if event.kind in _NEEDS_DELIVERY and not event.contact:
        return None
    found = _contact(db, event)
    return None if found is None else Match(found)


def _writer(db: sa.Connection, event: Event, sent: Sent) -> int | None:
    """The one contact whose address wrote the event, if it is not the one that we wrote to."""
    if not event.address or event.address.lower() == sent.address.lower():
        return None
    owners = db.scalars(_owners(event).distinct().limit(2)).all()
    return owners[0] if len(owners) == 1 else None


def _deliveries(event: Event, signer: Signer) -> Iterator[_Where]:
    if event.delivery is not None:
        yield delivery.c.id == event.delivery
    if event.key.count("/") >= 2:
        campaign, rest = event.key.split("/", 1)
        occurrence, number = rest.rsplit("/", 1)  # the zone of an occurrence has a slash of its own
        if number.isascii() and number.isdigit() and len(number) < 19:
            row = delivery.c
            place = (row.campaign == campaign) & (row.occurrence == occurrence)
            yield place & (row.contact_id == int(number))
            joined = sa.select(alias.c.contact_id).where(alias.c.key == f"#{int(number)}")
            yield place & (row.contact_id == joined.scalar_subquery())  # it moved with its contact since
    named = token_number(signer, "message", event.message_id.strip(" <>").split("@")[0])
    if named is not None:
        yield delivery.c.id == named


def _sent(db: sa.Connection, where: _Where) -> Sent | None:
    row = db.execute(sa.select(*_SENT).where(where)).one_or_none()
    return Sent(*row) if row else None


def _recent(db: sa.Connection, event: Event) -> Sent | None:
    """Find the newest delivery that left for the event's address not long before it.

    A mail that answers has a subject: it was compared with what we sent (`feedback.mail`), and what it did not fit is
    no match.
    """
    answers = event.data.get("answers")
    if answers is not None or (event.kind is EventKind.REPLIED and "message_id" in event.data):
        return next((sent for sent in newest(db, event, _LOOKED_AT) if sent.id == answers), None)
    return next(iter(newest(db, event, 1)), None)


def newest(db: sa.Connection, event: Event, most: int) -> list[Sent]:
    """Return the newest deliveries, at most so many, that left for the event's address not long before it."""
    row = delivery.c
    ask = (
        sa.select(*_SENT)
        .where(row.contact_id.in_(_owners(event)), row.channel == _channel(event))
        .where(sa.func.lower(row.address) == event.address.lower())
        .where(row.submitted_at > event.at - RECENT, row.submitted_at <= event.at)
        .order_by(row.submitted_at.desc(), row.id.desc())
    )
    return [Sent(*row) for row in db.execute(ask.limit(most))]


def _contact(db: sa.Connection, event: Event) -> int | None:
    """Find the contact by key; by address only if exactly one contact has it."""
    if event.contact:
        try:
            found = contacts.find(db, event.contact)
        except UsageError:  # several contacts have that address
            return None
        return None if found is None else contacts.living(db, found)
    owners = db.scalars(_owners(event).distinct().limit(2)).all()
    return owners[0] if len(owners) == 1 else None


def _owners(event: Event) -> sa.Select[tuple[int]]:
    spellings = {event.address, event.address.lower()}
    live = sa.select(contact.c.id).where(contact.c.erased_at.is_(None))
    ask = sa.select(address.c.contact_id).where(address.c.channel == _channel(event), address.c.value.in_(spellings))
    return ask.where(address.c.contact_id.in_(live))


def _channel(event: Event) -> str:
    return event.channel or "email"
