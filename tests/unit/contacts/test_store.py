"""Contacts loaded by the thousand are what the database holds, on both."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa

from vinculo import contacts
from vinculo.db.tables import contact, score
from vinculo.testing.store import add_contact


def test_a_contact_and_its_score_are_read_as_they_were_written(engine: sa.Engine, now: datetime) -> None:
    traits = {"brew": "v60", "visits": 3, "sizes": [1.5, None], "city": "São Paulo"}
    with engine.begin() as db:
        one, other = add_contact(db, key="c1"), add_contact(db, key="c2")
        born = {"birthdate": date(1980, 2, 29), "first_seen": now, "traits": traits}
        db.execute(sa.update(contact).where(contact.c.id == one).values(born))
        said = {"recency": 1.5, "frequency": 2, "value": 4200, "stage": "active", "alive": 0.9, "at": now}
        db.execute(sa.insert(score).values(contact_id=one, **said))
        people, scores = contacts.load_scored(db, [other, one, 10**9, one])
        rows = db.execute(sa.select(score)).mappings().all()
    assert list(people) == [other, one]
    assert (people[one].birthdate, people[one].first_seen, people[one].traits) == (date(1980, 2, 29), now, traits)
    assert (people[one].stage, people[other].stage) == ("active", "")
    assert (people[other].birthdate, people[other].traits) == (None, {})
    assert scores == {one: {name: rows[0][name] for name in scores[one]}}
    assert {*said, "contact_id", "engagement", "lifetime_value"} <= scores[one].keys()
    assert scores[one]["at"] == now
