"""A second connection works ahead of the one that writes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from vinculo.db import ahead, connect
from vinculo.db.tables import alias, contact
from vinculo.testing import store

IDS = sa.select(contact.c.id)


@pytest.fixture
def people(sqlite_engine):
    with sqlite_engine.begin() as db:
        for number in range(40):
            store.add_contact(db, key=str(number))
    return sqlite_engine


def _used(db, parts) -> list[int]:
    """Write the answers of each question before the next is asked for."""
    found = []
    for part in parts:
        db.execute(sa.delete(alias))
        rows = part.subquery()
        db.execute(sa.insert(alias).from_select(["key", "contact_id"], sa.select(rows.c.id, rows.c.id)))
        found += db.scalars(sa.select(alias.c.contact_id))
    return sorted(found)


@pytest.mark.parametrize("number", [0, 1, 7, 20], ids=lambda number: f"{number} parts")
def test_every_part_is_answered_once_however_many_there_are(people, number) -> None:
    def parts(first):
        known = sa.select(first.c.id)
        asked = [IDS.where(contact.c.id % number == rest, contact.c.id.in_(known)) for rest in range(number)]
        return [lambda each=each: each for each in asked]

    with people.begin() as db:
        assert ahead.possible(db)
        assert _used(db, ahead.divided(db, IDS, parts)) == (list(range(1, 41)) if number else [])


def test_an_error_of_the_second_connection_is_an_error_of_the_first(people) -> None:
    def parts(first):
        return [lambda: sa.select(sa.column("nowhere", sa.Integer).label("id")).select_from(first)] * 20

    with people.begin() as db, pytest.raises(sa.exc.OperationalError, match="nowhere"):
        _used(db, ahead.divided(db, IDS, parts))
    with people.begin() as db:
        assert ahead.possible(db)


def test_whoever_stops_early_leaves_nothing(people, tmp_path) -> None:
    with people.begin() as db:
        answers = ahead.divided(db, IDS, lambda _: [lambda: IDS] * 20)
        next(answers)
        answers.close()
        assert not list(tmp_path.glob(".ahead-*"))
    with people.begin() as db:
        assert [row[1] for row in db.exec_driver_sql("PRAGMA database_list")] == ["main"]


def test_it_is_possible_only_where_a_second_connection_sees_the_same(people, postgres_engine) -> None:
    with people.begin() as db:
        assert ahead.possible(db)
        store.add_contact(db, key="new")
        assert not ahead.possible(db)
    for engine in (postgres_engine, connect("sqlite://")):
        with engine.begin() as db:
            assert not ahead.possible(db)
        engine.dispose()
