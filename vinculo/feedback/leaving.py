"""A no holds for everybody at the address: two contacts who share one read one mailbox, and it has said no.

Else whoever leaves goes on getting the same letter, now as the other of the two.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from vinculo import consent
from vinculo.db.tables import address
from vinculo.inbox import intents, wants_out_everywhere
from vinculo.model import Event, EventKind


def leave(  # noqa: PLR0913 - what a no is, and where it was told
    db: sa.Connection,
    contact_id: int,
    channels: Collection[str],
    topic: str,
    at: datetime,
    *,
    now: datetime,
    source: str,
    told: Mapping[str, str],
) -> None:
    """Record the no to *topic* on *channels* of the contact, and of whoever has the address at which it was *told*.

    On a channel on which that is not known, it is all the contact's.
    """
    leaving = {(contact_id, channel) for channel in channels}
    for channel in channels:
        leaving |= {(who, channel) for who in _owners(db, channel, _mailbox(db, contact_id, channel, told))}
    _withdraw(db, leaving, topic, at, now, source)


def leave_by_address(db: sa.Connection, event: Event, at: datetime, now: datetime) -> bool:
    """Record the no of an *event* that names an address alone, for each who has it; tell whether anybody has.

    Who says no everywhere is one of them, and nobody knows which.
    """
    heard = event.kind in {EventKind.REPLIED, EventKind.INBOUND} and "stop" in intents(event.text)
    if not (heard or event.kind is EventKind.UNSUBSCRIBED):
        return False
    here = event.channel or "email"
    owners = _owners(db, here, {event.address, event.address.lower(), event.contact, event.contact.lower()})
    leaving = {(who, here) for who in owners}
    if not event.channel or (heard and wants_out_everywhere(event.text)):
        for who in owners:
            for channel in set(consent.channels(db, who)) - {here}:
                leaving |= {(each, channel) for each in {who, *_owners(db, channel, _mailbox(db, who, channel, {}))}}
    _withdraw(db, leaving, "" if heard else event.topic, at, now, event.source)
    return bool(owners)


def _mailbox(db: sa.Connection, contact_id: int, channel: str, told: Mapping[str, str]) -> set[str]:
    """The address that said no; which may not be the contact's any more."""
    if value := told.get(channel):
        return {value, value.lower()}
    a = address.c
    return set(db.scalars(sa.select(a.value).where(a.contact_id == contact_id, a.channel == channel)))


def _withdraw(
    db: sa.Connection, leaving: Collection[tuple[int, str]], topic: str, at: datetime, now: datetime, source: str
) -> None:
    """All at once: thousands may have one address, and two who leave wait for each other in no circle."""
    consent.record_many(
        db,
        [consent.Consent(who, channel, topic, granted=False, at=at, source=source) for who, channel in sorted(leaving)],
        heard=now,
    )


def _owners(db: sa.Connection, channel: str, values: Collection[str]) -> set[int]:
    a = address.c
    return set(
        db.scalars(sa.select(a.contact_id).where(a.channel == channel, a.value.in_(sorted(filter(None, values)))))
    )
