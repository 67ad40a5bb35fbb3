"""Objectives are on the console's first page: what they ask must not read the whole history."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import history
from vinculo.db.tables import contact
from vinculo.history import Interaction
from vinculo.model import Direction
from vinculo.project.schema import Campaign, Objective
from vinculo.report import objectives

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
SALE = Campaign.model_validate(
    {"kind": "promotion", "objective": "x", "segment": "all", "topic": "offers", "channels": ["email"], "template": "t"}
)


def measured(db: sa.Connection, metric: str) -> float | None:
    wanted = Objective(description="x", metric=metric, baseline=1, target=2, deadline=date(2027, 1, 1))
    return objectives(db, {"x": wanted}, {"sale": SALE}, NOW)[0].now


@pytest.mark.parametrize(
    ("metric", "asked", "step"),
    [
        ("repeat_rate", "purchased", "USING INDEX ix_interaction_purchase"),
        ("click_rate", "clicked", "interaction USING INDEX ix_interaction_answer"),
        ("nps", "surveyed", "interaction USING INDEX ix_interaction_contact_id_kind_at"),
    ],
)
def test_each_asks_an_index(sqlite_engine: sa.Engine, metric: str, asked: str, step: str) -> None:
    said: list[tuple[str, Any]] = []
    with sqlite_engine.connect() as db:
        sa.event.listen(db, "before_cursor_execute", lambda *one: said.append((one[2], one[3])))
        measured(db, metric)
        [(statement, values)] = [each for each in said if asked in repr(each)]
        plan = [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any(step in each for each in plan), plan
    assert not any(each.startswith(("SCAN interaction", "SCAN delivery")) for each in plan if metric != "repeat_rate")


def test_the_answers_of_who_was_erased_since_still_count(engine: sa.Engine) -> None:
    """Facts are of those alone who are there: an objective does not change because a person has left."""
    person = {"first_seen": NOW, "updated_at": NOW}
    with engine.begin() as db:
        rows = [{"key": "here", **person, "erased_at": None}, {"key": "gone", **person, "erased_at": NOW}]
        here, gone = db.scalars(sa.insert(contact).returning(contact.c.id), rows)
        at = NOW - timedelta(days=1)
        told = [(here, 9, at), (gone, 0, at), (here, 0, NOW - timedelta(days=91))]
        lines = [Interaction(who, when, Direction.IN, "surveyed", data={"score": score}) for who, score, when in told]
        history.record(db, lines)
        assert measured(db, "nps") == 0
        history.record(db, [Interaction(here, at, Direction.IN, "surveyed", data={"score": 10})])
        assert measured(db, "nps") == pytest.approx(100 / 3)
