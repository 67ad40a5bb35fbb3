"""Instants survive the database to the microsecond, on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from vinculo.db import micros
from vinculo.db.tables import note, occurrence


def test_an_instant_comes_back_as_it_went_in(engine: sa.Engine) -> None:
    moment = datetime(2026, 12, 1, 9, 0, 0, 123456, tzinfo=timezone(timedelta(hours=-3)))
    row = {
        "campaign": "c",
        "occurrence": "o",
        "state": "open",
        "due_at": moment,
        "planned_at": moment,
        "definition": {},
    }
    with engine.begin() as db:
        db.execute(sa.insert(occurrence).values(row))
        assert db.scalar(sa.select(occurrence.c.due_at)) == moment
        assert db.scalar(sa.select(occurrence.c.campaign).where(occurrence.c.due_at <= moment)) == "c"


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        micros(datetime(2026, 12, 1))
    assert micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1_000_000


def test_a_failed_transaction_leaves_nothing(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.IntegrityError), engine.begin() as db:
        db.execute(sa.insert(note).values(name="a", value="1"))
        db.execute(sa.insert(note).values(name="a", value="2"))
    with engine.begin() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(note)) == 0
