"""A second connection works ahead of the one that writes."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

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


def test_it_is_not_possible_without_a_log_or_after_a_change_that_was_taken_back(people) -> None:
    with people.begin() as db:
        trial = db.begin_nested()
        store.add_contact(db, key="new")
        trial.rollback()
        assert not ahead.possible(db)
    with people.connect() as db:
        db.connection.dbapi_connection.execute("PRAGMA journal_mode=DELETE")
        with db.begin():
            assert not ahead.possible(db)


def test_files_are_where_the_database_is_and_not_a_link_to_it(people, tmp_path, monkeypatch) -> None:
    real = Path(people.url.database or "")
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(real)
    folders, make = [], tempfile.mkstemp

    def made(*, dir: Path, **named):  # noqa: A002 - as `mkstemp` calls it
        folders.append(dir)
        return make(dir=dir, **named)

    monkeypatch.setattr(tempfile, "mkstemp", made)
    with connect(f"sqlite:///{link}").begin() as db:
        assert _used(db, ahead.divided(db, IDS, lambda _: [lambda: IDS])) == list(range(1, 41))
    assert set(folders) == {real.parent}


def test_a_file_that_cannot_grow_is_an_error_and_nothing_is_written(people, tmp_path, monkeypatch) -> None:
    kept = ahead._kept

    def small(reader, name, question):
        with reader.begin():
            reader.exec_driver_sql(f"PRAGMA {name}.max_page_count = {1 if name == 'ahead3' else 100}")
        return kept(reader, name, question)

    monkeypatch.setattr(ahead, "_kept", small)
    with pytest.raises(sa.exc.OperationalError, match="full"), people.begin() as db:
        _used(db, ahead.divided(db, IDS, lambda _: [partial(IDS.where, contact.c.id > 0)] * 20))
    with people.begin() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(alias)) == 0
    assert not list(tmp_path.glob(".ahead-*"))
