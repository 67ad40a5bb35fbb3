"""Contacts walk a journey at their own pace, get each step once, and leave when they have what it wanted."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo import journey, ledger, project
from vinculo.db.tables import contact, delivery
from vinculo.db.tables import journey as walk
from vinculo.project import Project
from vinculo.testing.project import write_project
from vinculo.testing.store import add_contact

WELCOME = """\
description: A warm welcome
segment: leads
leave: customers
topic: news
kind: newsletter
channels: [email]
steps:
  - {name: hello, template: hello}
  - {name: story, after: 3 days, template: hello}
"""


@pytest.fixture
def files(tmp_path: Path) -> Project:
    root = write_project(
        tmp_path,
        **{
            "plan/journeys/welcome.yaml": WELCOME,
            "segments/leads.yaml": "who: {kind: lead}\n",
            "segments/customers.yaml": "who: {kind: customer}\n",
        },
    )
    return project.load(root, {"VINCULO__SECRET_KEY": "a secret for tests alone"})


def _advance(engine: sa.Engine, files: Project, now: datetime) -> dict[str, int]:
    with engine.begin() as db:
        return {what: n for what, n in journey.advance(db, files, files.journeys["welcome"], now).items() if n}


def _lead(engine: sa.Engine, key: str) -> None:
    with engine.begin() as db:
        add_contact(db, key=key, email=f"{key}@correio.example", kind="lead", consent=["news"])


def _campaigns(engine: sa.Engine) -> dict[str, int]:
    with engine.connect() as db:
        ask = sa.select(delivery.c.campaign, sa.func.count()).group_by(delivery.c.campaign)
        return dict(db.execute(ask).tuples().all())


def test_a_contact_enters_and_gets_the_first_step_once(engine: sa.Engine, files: Project, now: datetime) -> None:
    _lead(engine, "ana")
    assert _advance(engine, files, now) == {"entered": 1, "planned": 1}
    assert _advance(engine, files, now + timedelta(hours=1)) == {}
    assert _campaigns(engine) == {"journey-welcome-hello": 1}


def test_the_second_step_waits_its_time(engine: sa.Engine, files: Project, now: datetime) -> None:
    _lead(engine, "ana")
    _advance(engine, files, now)
    assert _advance(engine, files, now + timedelta(days=2)) == {}
    assert _advance(engine, files, now + timedelta(days=3, hours=1)) == {"planned": 1}
    assert _campaigns(engine) == {"journey-welcome-hello": 1, "journey-welcome-story": 1}
    with engine.connect() as db:
        assert list(db.scalars(sa.select(walk.c.state))) == ["done"]


def test_who_enters_later_on_the_same_day_gets_the_step_too(engine: sa.Engine, files: Project, now: datetime) -> None:
    _lead(engine, "ana")
    _advance(engine, files, now)
    _lead(engine, "bia")
    assert _advance(engine, files, now + timedelta(hours=1)) == {"entered": 1, "planned": 1}
    assert _campaigns(engine) == {"journey-welcome-hello": 2}


def test_who_has_what_the_journey_wanted_leaves_it(engine: sa.Engine, files: Project, now: datetime) -> None:
    _lead(engine, "ana")
    _advance(engine, files, now)
    with engine.begin() as db:
        db.execute(sa.update(contact).values(kind="customer"))
    assert _advance(engine, files, now + timedelta(days=4)) == {"left": 1}
    assert _campaigns(engine) == {"journey-welcome-hello": 1}


def test_who_would_leave_at_once_does_not_enter(engine: sa.Engine, files: Project, now: datetime) -> None:
    everybody = files.journeys["welcome"].model_copy(update={"leave": "leads"})
    _lead(engine, "ana")
    with engine.begin() as db:
        assert sum(journey.advance(db, files, everybody, now).values()) == 0
        assert db.scalar(sa.select(sa.func.count()).select_from(walk)) == 0


def test_who_has_walked_it_does_not_walk_it_again(engine: sa.Engine, files: Project, now: datetime) -> None:
    _lead(engine, "ana")
    for days in (0, 4, 8, 400):
        _advance(engine, files, now + timedelta(days=days))
    assert _campaigns(engine) == {"journey-welcome-hello": 1, "journey-welcome-story": 1}


def test_who_did_not_agree_is_skipped_with_the_reason(engine: sa.Engine, files: Project, now: datetime) -> None:
    with engine.begin() as db:
        add_contact(db, key="eva", email="eva@correio.example", kind="lead")
    _advance(engine, files, now)
    with engine.connect() as db:
        assert ledger.counts(db, "journey-welcome-hello") == {("skipped", "no_consent"): 1}
