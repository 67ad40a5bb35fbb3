"""Contacts, consents and campaigns for tests: what stands in a store before the test begins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo.db.insert import insert
from vinculo.db.tables import address, consent, contact, permission, preference, suppression, tag
from vinculo.model import Occurrence
from vinculo.project.schema import Campaign
from vinculo.signing import Signer

#: When everything below was there already.
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
#: Signs what tests sign, unless they bring their own.
SIGNER = Signer("a secret for tests alone")


def add_contact(  # noqa: PLR0913 - everything a test may want to say of a contact, all by name
    db: sa.Connection, *, key: str, email: str = "", phone: str = "", addresses: Collection[tuple[str, str]] = (),
    consent: Collection[str] = (), tags: Collection[str] = (), preferences: Mapping[str, str] | None = None,
    signer: Signer = SIGNER, **fields: Any,
) -> int:  # fmt: skip
    """Add a contact and return its id. *consent* are topics, granted on every channel of its addresses.

    *email* and *phone* (channel `sms`) come first, *addresses* are further (channel, value); *fields* are columns.
    """
    row = {"key": key, "first_seen": LONG_AGO, "updated_at": LONG_AGO, "kind": "customer", **fields}
    contact_id: int = db.execute(sa.insert(contact).values(row).returning(contact.c.id)).scalar_one()
    named = [("email", email), ("sms", phone), *addresses]
    for position, (channel, value) in enumerate(one for one in named if one[1]):
        add_address(db, contact_id, channel, value, position=position, signer=signer)
    for channel in {channel for channel, value in named if value}:
        for topic in consent:
            grant(db, contact_id, channel, topic)
    for name in tags:
        db.execute(sa.insert(tag).values(contact_id=contact_id, name=name))
    for name, value in (preferences or {}).items():
        db.execute(sa.insert(preference).values(contact_id=contact_id, name=name, value=value, at=LONG_AGO))
    return contact_id


def add_address(
    db: sa.Connection, contact_id: int, channel: str, value: str, *, position: int = 0, signer: Signer = SIGNER
) -> None:
    """Give a contact one more address."""
    hashed = signer.hash("address", channel, value)
    row = {"contact_id": contact_id, "channel": channel, "value": value, "hash": hashed, "position": position}
    db.execute(sa.insert(address).values(**row, added_at=LONG_AGO))


def grant(  # noqa: PLR0913 - a consent is that much
    db: sa.Connection, contact_id: int, channel: str, topic: str, *, granted: bool = True,
    at: datetime = LONG_AGO, expires_at: datetime | None = None,
) -> None:  # fmt: skip
    """Record a consent, or with `granted=False` a withdrawal, in place of an earlier one."""
    row = {"contact_id": contact_id, "channel": channel, "topic": topic, "granted": granted, "at": at}
    number = db.execute(sa.insert(consent).values(**row, expires_at=expires_at).returning(consent.c.id)).scalar_one()
    answer = {"granted": granted, "at": at, "expires_at": expires_at, "consent_id": number}
    live = insert(db, permission).values(**row | answer)
    db.execute(live.on_conflict_do_update(index_elements=["contact_id", "channel", "topic"], set_=answer))


def suppress(db: sa.Connection, channel: str, value: str, *, signer: Signer = SIGNER) -> None:
    """Put an address on the suppression list."""
    row = {"channel": channel, "address_hash": signer.hash("address", channel, value)}
    db.execute(sa.insert(suppression).values(**row, reason="manual", at=LONG_AGO))


def campaign(name: str = "weekly", **keys: Any) -> Campaign:
    """A campaign's file: a newsletter by e-mail to the segment `everyone`, unless *keys* say otherwise."""
    file = {
        "name": name, "kind": "newsletter", "segment": "everyone", "topic": "news", "channels": ["email"],
        "template": "weekly",
    }  # fmt: skip
    return Campaign.model_validate({**file, **keys})


def occurrence(of: Campaign, local: datetime, zone: str = "UTC") -> Occurrence:
    """The occurrence of a campaign at a wall clock time."""
    return Occurrence(of.name, local.replace(tzinfo=None), zone)


def allocation(
    due_at: datetime, *, topic: str = "news", channel: str = "email", expires: timedelta = timedelta(hours=72)
) -> sa.Select[Any]:
    """An allocation for the ledger that plans every address of *channel*, and leaves contacts without one out."""
    reached = address.c.id.is_not(None)
    instant = contact.c.first_seen.type
    return sa.select(
        contact.c.id.label("contact_id"),
        sa.case((reached, sa.literal("planned")), else_=sa.literal("skipped")).label("state"),
        sa.case((reached, sa.literal("")), else_=sa.literal("no_address")).label("reason"),
        sa.literal(channel).label("channel"),
        sa.func.coalesce(address.c.value, "").label("address"),
        sa.literal("").label("variant"),
        sa.literal(due_at, instant).label("due_at"),
        sa.literal(due_at + expires, instant).label("expires_at"),
        sa.literal(50).label("priority"),
        sa.literal(topic).label("topic"),
    ).outerjoin(address, sa.and_(address.c.contact_id == contact.c.id, address.c.channel == channel))
