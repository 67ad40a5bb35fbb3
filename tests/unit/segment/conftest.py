"""A small world in plain Python, written to the database as it is: what both evaluators look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import facts
from vinculo.db import tables
from vinculo.model import Moment

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
MOMENT = Moment(NOW, NOW.date())
#: The company's currency.
HOME = "BRL"


@pytest.fixture
def moment() -> Moment:
    return MOMENT


@dataclass
class Person:
    """One contact with everything that hangs on it."""

    id: int
    facts: dict[str, Any] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    traits: dict[str, Any] = field(default_factory=dict)
    score: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    permissions: dict[tuple[str, str], tuple[bool, datetime | None]] = field(default_factory=dict)
    addresses: list[tuple[str, str]] = field(default_factory=list)
    preferences: dict[str, str] = field(default_factory=dict)
    erased: bool = False


@dataclass
class World:
    """Contacts, occurrences that were sent, and suppressed addresses."""

    people: list[Person]
    #: (campaign, occurrence, kind, due, whether it was sent to anyone)
    occurrences: list[tuple[str, str, str, datetime, bool]] = field(default_factory=list)
    suppressed: set[tuple[str, str]] = field(default_factory=set)
    #: The company's day at `NOW`.
    today: date = MOMENT.today


def write(db: sa.Connection, world: World) -> None:
    """Write *world* as it is; its facts are those of its history."""
    for table in reversed(tables.metadata.sorted_tables):
        db.execute(table.delete())
    for person in world.people:
        _write_person(db, person)
    for channel, value in sorted(world.suppressed):
        row = {"channel": channel, "address_hash": f"h:{value}", "reason": "manual", "at": NOW}
        db.execute(tables.suppression.insert(), row)
    for campaign, name, kind, due, sent in world.occurrences:
        row = {"campaign": campaign, "occurrence": name, "state": "finished", "due_at": due, "planned_at": due}
        db.execute(tables.occurrence.insert(), {**row, "definition": {"kind": kind}})
        if world.people:
            state = "accepted" if sent else "skipped"
            row = {"campaign": campaign, "occurrence": name, "contact_id": world.people[0].id, "state": state}
            row |= {"basis": "service", "topic": "service", "submitted_at": due} if sent else {}
            db.execute(tables.delivery.insert(), {**row, "due_at": due, "expires_at": due})
    facts.rebuild(db)


def _write_person(db: sa.Connection, person: Person) -> None:
    facts = {"key": f"k{person.id}", "kind": "customer", "first_seen": NOW - timedelta(days=400), **person.facts}
    born: date | None = facts.get("birthdate")
    facts["birthday"] = f"{born:%m-%d}" if born else ""
    erased = NOW if person.erased else None
    row = {"id": person.id, "traits": person.traits, "updated_at": NOW, "erased_at": erased, **facts}
    db.execute(tables.contact.insert(), row)
    hung = {"contact_id": person.id}
    for name in sorted(set(person.tags)):
        db.execute(tables.tag.insert(), {**hung, "name": name})
    if person.score is not None:
        db.execute(tables.score.insert(), {**hung, "at": NOW, **person.score})
    for event in person.events:
        db.execute(tables.interaction.insert(), {**hung, "direction": "in", **event})
    for (channel, topic), (granted, expires) in person.permissions.items():
        row = {**hung, "channel": channel, "topic": topic, "granted": granted, "at": NOW}
        made = db.execute(tables.consent.insert().returning(tables.consent.c.id), row).scalar_one()
        db.execute(tables.permission.insert(), {**row, "expires_at": expires, "consent_id": made})
    for channel, value in dict.fromkeys(person.addresses):
        row = {**hung, "channel": channel, "value": value, "hash": f"h:{value}", "added_at": NOW}
        db.execute(tables.address.insert(), row)
    for name, value in person.preferences.items():
        db.execute(tables.preference.insert(), {**hung, "name": name, "value": value, "at": NOW})
