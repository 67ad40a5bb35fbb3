"""A no holds for everybody at the address: two contacts who share one read one mailbox, and it has said no.

Else whoever leaves goes on getting the same letter, now as the other of the two.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from vinculo import consent
from vinculo.db.tables import address
from vinculo.inbox import intents, wants_out_everywhere
from vinculo.model import Event, EventKind


def leave(  # noqa: PLR0913 - what a no is, and where it was told
    db: sa.Connection, contact_id: int, channel: str, topic: str, at: datetime, *, source: str, told: str = ""
) -> None:
    """Record the no to *topic* on *channel* of the contact, and of whoever has an address of its, or the one *told*."""
    a = address.c
    mine = db.scalars(sa.select(a.value).where(a.contact_id == contact_id, a.channel == channel))
    for who in sorted({contact_id, *_owners(db, channel, {told, *mine})}):
        consent.withdraw(db, who, channel, topic, at, source=source)


def leave_by_address(db: sa.Connection, event: Event, at: datetime) -> bool:
    """Record the no of an *event* that names an address alone, for each who has it; tell whether anybody has."""
    heard = event.kind in {EventKind.REPLIED, EventKind.INBOUND} and "stop" in intents(event.text)
    if not (heard or event.kind is EventKind.UNSUBSCRIBED):
        return False
    told = {event.address, event.address.lower(), event.contact, event.contact.lower()}
    owners = _owners(db, event.channel or "email", told)
    everywhere = not event.channel or (heard and wants_out_everywhere(event.text))
    for who in sorted(owners):
        for channel in consent.channels(db, who) if everywhere else [event.channel]:
            leave(db, who, channel, "" if heard else event.topic, at, source=event.source)
    return bool(owners)


def _owners(db: sa.Connection, channel: str, values: Collection[str]) -> set[int]:
    a = address.c
    return set(
        db.scalars(sa.select(a.contact_id).where(a.channel == channel, a.value.in_(sorted(filter(None, values)))))
    )
