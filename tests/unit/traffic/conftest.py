"""A line of contacts on one or several mail domains, and workers that pass a gate, with a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import ledger, project
from vinculo.connector import Outcome, Receipt
from vinculo.db.tables import address, consent, contact, delivery, permission
from vinculo.ledger import Claim, Settlement
from vinculo.project import Project
from vinculo.testing import store
from vinculo.testing.project import write_project
from vinculo.traffic import Gate

LEASE = timedelta(minutes=5)


class Street:
    """One campaign's rows, planned and due; workers claim, pass the gate and are accepted at once."""

    def __init__(self, engine: sa.Engine, now: datetime, rules: Callable[[str], Project]) -> None:
        self.engine, self.now, self.rules = engine, now, rules
        self.project = rules("")

    def limits(self, toml: str) -> Street:
        self.project = self.rules(toml)
        return self

    def people(self, count: int, *domains: str, name: str = "weekly", **keys: Any) -> Street:
        """Plan *count* contacts of each of *domains* into an occurrence of the campaign *name*."""
        campaign = store.campaign(name, **keys)
        with self.engine.begin() as db:
            for domain in domains or ("example.org",):
                _settle_in(db, count, f"{name}-{domain}", domain, campaign.topic)
            rows = store.allocation(self.now, topic=campaign.topic, expires=timedelta(days=30))
            rows = rows.where(contact.c.key.like(f"{name}-%"))
            ledger.plan(db, campaign, store.occurrence(campaign, self.now), rows, self.now)
        return self

    def gate(self) -> Gate:
        return Gate(self.project)

    def turn(self, gate: Gate, at: datetime, *, worker: str = "w", limit: int = 1000) -> list[Claim]:
        """One turn of a worker: claim, pass, be accepted. Returns what left."""
        with self.engine.begin() as db:
            go = gate.admit(db, ledger.claim(db, worker, limit, at, LEASE), at)
            gone = delivery.c.id.in_([claim.id for claim in go])
            db.execute(sa.update(delivery).where(gone).values(state="accepted", submitted_at=at, lease_until=None))
            gate.learn(db, [Settlement(claim, Receipt()) for claim in go], at)
        return go

    def answer(self, gate: Gate, claim: Claim, outcome: Outcome, at: datetime) -> None:
        """*claim* is answered with *outcome*, and the gate learns."""
        with self.engine.begin() as db:
            ledger.submit(db, [claim], at)
            ledger.settle(db, [Settlement(claim, outcome)], at)
            gate.learn(db, [Settlement(claim, outcome)], at)

    def sent(
        self, *, seconds: float, gates: list[Gate], begin: float = 0, step: float = 2
    ) -> list[tuple[float, Claim]]:
        """What leaves, and when, while the workers behind *gates* take a turn each *step* seconds."""
        left: list[tuple[float, Claim]] = []
        for tick in range(int(seconds / step) + 1):
            offset = begin + tick * step
            for number, gate in enumerate(gates):
                left += [(offset, claim) for claim in self.turn(gate, self.at(offset), worker=f"w{number}")]
        return left

    def at(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def rows(self) -> list[sa.Row[Any]]:
        with self.engine.begin() as db:
            return list(db.execute(sa.select(delivery).order_by(delivery.c.id)))


def _settle_in(db: sa.Connection, count: int, prefix: str, domain: str, topic: str) -> None:
    """Add many contacts who said yes, a few statements for all: a rate shows only where many wait."""
    row = {"kind": "customer", "first_seen": store.LONG_AGO, "updated_at": store.LONG_AGO}
    db.execute(sa.insert(contact), [{"key": f"{prefix}-{number}", **row} for number in range(count)])
    ours = contact.c.key.like(f"{prefix}-%")
    at, email = sa.literal(store.LONG_AGO, contact.c.first_seen.type), sa.literal("email")
    value = contact.c.key + f"@{domain}"
    addresses = sa.select(contact.c.id, email, value, value, at).where(ours)
    db.execute(sa.insert(address).from_select(["contact_id", "channel", "value", "hash", "added_at"], addresses))
    said = ["contact_id", "channel", "topic", "granted", "at"]
    yes = sa.select(contact.c.id, email, sa.literal(topic), sa.true(), at).where(ours)
    db.execute(sa.insert(consent).from_select(said, yes))
    c = consent.c
    kept = sa.select(c.contact_id, c.channel, c.topic, c.granted, c.at, c.id).join(contact).where(ours)
    db.execute(sa.insert(permission).from_select([*said, "consent_id"], kept))


@pytest.fixture
def rules(tmp_path: Path) -> Callable[[str], Project]:
    """A project whose vinculo.toml has the sections given."""

    def lay(toml: str) -> Project:
        root = write_project(tmp_path / "shop")
        settings = root / "vinculo.toml"
        settings.write_text(settings.read_text() + "\n" + toml)
        return project.load(root, {"VINCULO__SECRET_KEY": "a secret for tests alone"})

    return lay


@pytest.fixture
def street(engine: sa.Engine, now: datetime, rules: Callable[[str], Project]) -> Street:
    return Street(engine, now, rules)
