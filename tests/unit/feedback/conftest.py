from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from vinculo import consent
from vinculo.db.tables import address, contact, delivery, occurrence, permission
from vinculo.signing import Signer


@pytest.fixture
def signer() -> Signer:
    return Signer("a secret for tests only")


@dataclass
class Shop:
    """Ana and Bruno, each with consent to two topics and a newsletter delivery an hour old."""

    engine: sa.Engine
    signer: Signer
    now: datetime
    ana: int = 0
    bruno: int = 0
    ana_delivery: int = 0
    bruno_delivery: int = 0

    @property
    def desk(self) -> "Desk":
        return Desk(self)

    def hash(self, value: str, channel: str = "email") -> str:
        return consent.address_hash(self.signer, channel, value)


class Desk:
    """The shop without files: nobody is answered, and what was sent is not known any more."""

    project = None

    def __init__(self, shop: Shop) -> None:
        self.signer, self.now = shop.signer, lambda: shop.now
        self.begin, self.read = shop.engine.begin, shop.engine.begin

    def sent(self, delivery_id: int) -> None:
        return None


@pytest.fixture
def shop(engine: sa.Engine, signer: Signer, now: datetime) -> Shop:
    made = Shop(engine, signer, now)
    with engine.begin() as db:
        db.execute(
            sa.insert(occurrence).values(
                campaign="weekly",
                occurrence="2026-12-01T09:00[Europe/Lisbon]",
                state="open",
                due_at=now,
                planned_at=now,
                definition={},
            )
        )
        for name in ("ana", "bruno"):
            number = _contact(db, made, name)
            setattr(made, name, number)
            setattr(made, f"{name}_delivery", _delivery(db, made, number, f"{name}@example.com"))
    return made


def _contact(db: sa.Connection, shop: Shop, name: str) -> int:
    row = sa.insert(contact).values(key=name, first_seen=shop.now, updated_at=shop.now).returning(contact.c.id)
    number = db.scalar(row)
    value = f"{name}@example.com"
    db.execute(
        sa.insert(address).values(
            contact_id=number, channel="email", value=value, hash=shop.hash(value), added_at=shop.now
        )
    )
    for topic in ("news", "offers"):
        consent.grant(db, number, "email", topic, shop.now - timedelta(days=30), source="form")
    return number


def _delivery(db: sa.Connection, shop: Shop, contact_id: int, value: str) -> int:
    p = permission.c
    said = sa.select(p.consent_id).where(p.contact_id == contact_id, p.topic == "news").scalar_subquery()
    row = sa.insert(delivery).values(
        campaign="weekly",
        occurrence="2026-12-01T09:00[Europe/Lisbon]",
        contact_id=contact_id,
        state="accepted",
        basis="consent",
        consent_id=said,
        channel="email",
        address=value,
        topic="news",
        due_at=shop.now,
        expires_at=shop.now + timedelta(days=1),
        submitted_at=shop.now - timedelta(hours=1),
    )
    return db.scalar(row.returning(delivery.c.id))


@pytest.fixture
def count(engine: sa.Engine) -> Callable[[sa.Table], int]:
    def rows(table: sa.Table) -> int:
        with engine.begin() as db:
            return db.scalar(sa.select(sa.func.count()).select_from(table))

    return rows
