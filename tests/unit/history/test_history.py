"""The history is two-way, newest first, and holds each event once, on both databases."""

import json
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from vinculo import history
from vinculo.db.tables import contact, inbound, interaction
from vinculo.history import Interaction
from vinculo.model import Direction, Event, EventKind, Money


@pytest.fixture
def ana(engine: sa.Engine, now: datetime) -> int:
    with engine.begin() as db:
        row = sa.insert(contact).values(key="ana", first_seen=now, updated_at=now)
        return db.scalar(row.returning(contact.c.id))


def test_the_timeline_shows_both_ways_newest_first(engine: sa.Engine, ana: int, now: datetime) -> None:
    sent = Interaction(ana, now, Direction.OUT, "sent", "email", "weekly", "2026-12-01", 7, summary="News")
    opened = Interaction(
        ana, now + timedelta(hours=1), Direction.IN, "opened", "email", "weekly", data={"class": "human"}
    )
    bought = Interaction(ana, now - timedelta(days=1), Direction.IN, "purchased", amount=1990, currency="BRL")
    with engine.begin() as db:
        history.record(db, [sent, opened, bought])
        assert history.timeline(db, ana) == [opened, sent, bought]
        assert history.timeline(db, ana, limit=1) == [opened]


def test_an_event_is_written_once_and_lines_without_event_as_often_as_they_happen(
    engine: sa.Engine, ana: int, now: datetime
) -> None:
    clicked = Interaction(ana, now, Direction.IN, "clicked", source="web", event_id="1")
    note = Interaction(ana, now, Direction.OUT, "note")
    with engine.begin() as db:
        history.record(db, [clicked, note])
        history.record(db, [clicked, note])
        kinds = sorted(db.scalars(sa.select(interaction.c.kind)))
    assert kinds == ["clicked", "note", "note"]


def test_recording_nothing_changes_nothing(engine: sa.Engine) -> None:
    with engine.begin() as db:
        history.record(db, [])
        assert db.scalar(sa.select(sa.func.count()).select_from(interaction)) == 0


def test_a_raw_event_is_stored_once_per_source_and_id(engine: sa.Engine, ana: int, now: datetime) -> None:
    event = Event(EventKind.OPENED, "web", "e1", now, raw=b"\x00raw")
    with engine.begin() as db:
        stored = history.store(db, event, now)
        assert stored is not None
        assert history.store(db, event, now) is None
        assert history.store(db, Event(EventKind.OPENED, "other", "e1", now), now) is not None
        history.settle(db, stored, "handled", contact_id=ana, delivery_id=3)
        row = db.execute(sa.select(inbound).where(inbound.c.id == stored)).mappings().one()
    assert (row["raw"], row["outcome"], row["contact_id"], row["delivery_id"]) == (b"\x00raw", "handled", ana, 3)


def test_an_event_without_a_raw_form_is_kept_as_json(engine: sa.Engine, now: datetime) -> None:
    event = Event(EventKind.PURCHASED, "csv", "9", now, contact="ana", amount=Money(1990, "BRL"), data={"sku": "x"})
    with engine.begin() as db:
        history.store(db, event, now)
        raw = json.loads(db.scalar(sa.select(inbound.c.raw)))
    assert raw["amount"] == {"minor": 1990, "currency": "BRL"}
    assert raw["data"] == {"sku": "x"}
    assert raw["at"] == now.isoformat()
