"""Contacts loaded by the thousand are what the database holds, on both."""

from __future__ import annotations

from dataclasses import replace
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


def test_what_is_not_asked_for_is_empty_and_the_rest_as_ever(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        ids = [
            add_contact(db, key="c1", email="a@b.example", tags=("gold",), traits={"brew": "v60"}),
            add_contact(db, key="c2"),
        ]
        db.execute(sa.insert(score).values(contact_id=ids[0], recency=1, frequency=2, value=3, stage="active", at=now))
        whole, scores = contacts.load_scored(db, ids)
        empty = {"addresses": (), "first_seen": None, "tags": frozenset(), "traits": {}}
        assert all(getattr(whole[ids[0]], name) != value for name, value in empty.items())
        for asked in (set(), *({name} for name in contacts.EVERYTHING), contacts.EVERYTHING):
            left = {name: value for name, value in empty.items() if name not in asked}
            left |= {} if "score" in asked else {"stage": ""}
            found = contacts.load_scored(db, ids, asked)
            assert found[0] == {number: replace(each, **left) for number, each in whole.items()}
            assert found[1] == (scores if "score" in asked else {})
