"""A look at scores that are kept nowhere: it finds what a scoring would, leaves no trace, and nobody waits for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import loyalty, scoring
from vinculo.db.tables import interaction, note, point, score
from vinculo.project import Rates
from vinculo.project.schema import Loyalty
from vinculo.scoring import Rules

OLD = Rules("BRL", "UTC", Rates("BRL", {"USD": [(date(2025, 1, 1), Decimal(5))]}))
NEW = replace(OLD, rates=Rates("BRL", {"USD": [(date(2025, 1, 1), Decimal(6))]}))
POINTS = Loyalty(points_per_unit=1)


def _kept(db: sa.Connection) -> list[Any]:
    tables = (score, note, point, interaction)
    return [[tuple(row) for row in db.execute(sa.select(table).order_by(*table.primary_key))] for table in tables]


@pytest.mark.parametrize("rules", [OLD, NEW], ids=["rates that are known", "a rate that is new"])
def test_a_look_finds_what_is_stored_otherwise_and_no_writer_waits_for_it(
    engine: sa.Engine, now: datetime, people, does, scores, rules: Rules
) -> None:
    later = now + timedelta(days=200)
    with engine.begin() as db:
        one, two, *_ = people(db, 5)
        does(db, one, now - timedelta(days=3), 1000)
        does(db, two, now - timedelta(days=2), 2000, "USD")
        scoring.run(db, now, OLD)
        does(db, one, now - timedelta(days=1), 500)
        before = _kept(db)
    with scoring.aside(engine, rules) as own:
        looked, found = scoring.run(own, later, rules, tell=False), scores(own)
        points = loyalty.earn(own, POINTS, later, "BRL", keep=False)
        with engine.begin() as other:  # while the look's transaction is open
            if engine.dialect.name == "postgresql":
                other.execute(sa.text("SET LOCAL lock_timeout = 1000"))
            assert _kept(other) == before
            other.execute(sa.update(score).values(alive=0.5))
            does(other, two, datetime(2026, 1, 1, tzinfo=UTC), kind="visited")
            other.rollback()
    with engine.begin() as db:
        assert _kept(db) == before
        assert scoring.run(db, later, rules) == looked
        assert scores(db) == found
        assert loyalty.earn(db, POINTS, later, "BRL") == points == 3
        assert looked.changed > 0


def test_a_foreign_purchase_that_comes_meanwhile_is_converted_by_no_look(
    engine: sa.Engine, now: datetime, people, does
) -> None:
    with engine.begin() as db:
        one, two, *_ = people(db, 5)
        does(db, one, now - timedelta(days=3), 1000, "USD")
        scoring.run(db, now, OLD)
        before = _kept(db)
    with scoring.aside(engine, OLD) as own:
        with engine.begin() as other:
            does(other, two, now - timedelta(days=2), 2000, "USD")
        assert not scoring.run(own, now, OLD, tell=False).unrated
        with engine.begin() as other:
            if engine.dialect.name == "postgresql":
                other.execute(sa.text("SET LOCAL lock_timeout = 1000"))
            other.execute(sa.delete(interaction).where(interaction.c.contact_id == two, interaction.c.worth.is_(None)))
    with engine.begin() as db:
        assert _kept(db) == before
