"""A small store and its verbs, so that each test says only what it is about."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from vinculo import contacts, ledger
from vinculo.db.tables import delivery
from vinculo.ledger import Claim
from vinculo.project.schema import Campaign
from vinculo.testing import store


class Ledger:
    """The ledger of one test: one campaign, contacts c1…cN with consent, one occurrence due now."""

    lease = timedelta(minutes=5)

    def __init__(self, engine: sa.Engine, now: datetime) -> None:
        self.engine, self.now = engine, now
        self.campaign = store.campaign()
        self.ids: list[int] = []

    def people(self, count: int) -> Ledger:
        with self.engine.begin() as db:
            for number in range(len(self.ids) + 1, len(self.ids) + count + 1):
                email = f"c{number}@example.org"
                self.ids.append(store.add_contact(db, key=f"c{number}", email=email, consent=["news"]))
        return self

    def plan(self, campaign: Campaign | None = None, **options: bool) -> int:
        self.campaign = campaign or self.campaign
        self.occurrence = store.occurrence(self.campaign, self.now)
        with self.engine.begin() as db:
            rows = store.allocation(self.now, topic=self.campaign.topic, expires=self.campaign.expires)
            return ledger.plan(db, self.campaign, self.occurrence, rows, self.now, **options)

    def claim(self, worker: str = "w1", limit: int = 100, at: datetime | None = None) -> list[Claim]:
        with self.engine.begin() as db:
            return ledger.claim(db, worker, limit, at or self.now, self.lease)

    def submit(self, claims: list[Claim], at: datetime | None = None) -> set[int]:
        with self.engine.begin() as db:
            return ledger.submit(db, claims, at or self.now)

    def taken(self, limit: int = 100, worker: str = "w1") -> list[Claim]:
        """Rows claimed and marked as being handed over."""
        claims = self.claim(worker, limit)
        assert self.submit(claims) == {claim.id for claim in claims}
        return claims

    def settle(
        self, claims: list[Claim], outcome: object, at: datetime | None = None, **options: bool
    ) -> ledger.Settled:
        with self.engine.begin() as db:
            settlements = [ledger.Settlement(claim, outcome) for claim in claims]
            return ledger.settle(db, settlements, at or self.now, **options)

    def merge(self) -> None:
        """The first contact becomes part of the second."""
        with self.engine.begin() as db:
            contacts.merge(db, self.ids[1], self.ids[0], self.now)

    def merge_beside(self, act: Callable[[sa.Connection], object]) -> None:
        """*act*, whose transaction ends only when a merge that began meanwhile waits for it, or is over."""
        with ThreadPoolExecutor(1) as pool:
            with self.engine.begin() as db, self.engine.connect() as eye:
                db.execute(sa.text("SET LOCAL statement_timeout = '60s'"))
                act(db)
                going = pool.submit(self.merge)
                while not going.done() and not eye.scalar(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                    eye.rollback()
            going.result(60)

    def recover(self, at: datetime, **options: frozenset[str]) -> ledger.Recovered:
        with self.engine.begin() as db:
            return ledger.recover(db, at, **options)

    def finish(self, at: datetime | None = None) -> bool:
        with self.engine.begin() as db:
            return ledger.finish(db, self.campaign.name, self.occurrence.key, at or self.now)

    def counts(self) -> dict[tuple[str, str], int]:
        with self.engine.begin() as db:
            return ledger.counts(db, self.campaign.name)

    def row(self, contact: int = 0) -> sa.Row:
        with self.engine.begin() as db:
            return db.execute(sa.select(delivery).where(delivery.c.contact_id == self.ids[contact])).one()


@pytest.fixture
def book(engine: sa.Engine, now: datetime) -> Ledger:
    return Ledger(engine, now)
