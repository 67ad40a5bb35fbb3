"""A message that asks for a confirmation rests on the request of the contact whose it is, also when two are joined."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from vinculo import contacts, ledger
from vinculo.db.tables import confirmation, delivery
from vinculo.testing import store

LATER = timedelta(minutes=1)


class Asked:
    """Bia asked for the news; the message that asks her to confirm waits. Ana asked for nothing."""

    def __init__(self, engine: sa.Engine, now: datetime) -> None:
        self.engine, self.now, self.ends = engine, now, now + timedelta(days=7)
        campaign = store.campaign("confirm-news", kind="service")
        with engine.begin() as db:
            self.ana = store.add_contact(db, key="ana")
            self.bia = store.add_contact(db, key="bia", email="bia@e.org")
            about = {"contact_id": self.bia, "channel": "email", "topic": "news", "expires_at": self.ends}
            db.execute(sa.insert(confirmation).values(**about, asked_at=now))
            ends = sa.literal(self.ends, delivery.c.lapses_at.type).label("lapses_at")
            nobody = sa.cast(sa.null(), sa.BigInteger).label("consent_id")
            rows = store.allocation(now).add_columns(sa.literal("request").label("basis"), nobody, ends)
            ledger.plan(db, campaign, store.occurrence(campaign, now), rows.where(delivery_of(self.bia)), now)

    def row(self) -> tuple[int, datetime]:
        with self.engine.begin() as db:
            return tuple(db.execute(sa.select(delivery.c.contact_id, delivery.c.lapses_at)).one())

    def sent(self) -> int:
        with self.engine.begin() as db:
            claims = ledger.claim(db, "w", 9, self.now + LATER, timedelta(minutes=5))
            return len(ledger.submit(db, claims, self.now + LATER))


def delivery_of(contact_id: int) -> sa.ColumnElement[bool]:
    """The row of an allocation that is this contact's."""
    return sa.literal_column("contact.id") == contact_id


@pytest.fixture
def asked(engine: sa.Engine, now: datetime) -> Asked:
    return Asked(engine, now)


def test_it_goes_with_who_asked_when_two_are_joined_and_parted(asked: Asked) -> None:
    with asked.engine.begin() as db:
        contacts.merge(db, asked.ana, asked.bia, asked.now)
    assert asked.row() == (asked.ana, asked.ends)
    with asked.engine.begin() as db:
        contacts.part(db, "bia", asked.now)
    assert asked.row() == (asked.bia, asked.ends)
    assert asked.sent() == 1


@pytest.mark.parametrize("change", ["contact_id = :ana", "topic = 'offers'", "channel = 'sms'"])
def test_it_lapses_where_nobody_asked(asked: Asked, change: str) -> None:
    with asked.engine.begin() as db:
        values = {"ana": asked.ana} if ":ana" in change else {}
        db.execute(sa.text(f"UPDATE delivery SET {change}"), values)
    assert asked.row()[1] < asked.now
    assert asked.sent() == 0
