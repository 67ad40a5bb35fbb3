"""A second connection works ahead of the one that writes."""

from __future__ import annotations

import errno
import tempfile
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo.db import ahead, connect
from vinculo.db.statement import direct
from vinculo.db.tables import alias, contact, metadata
from vinculo.testing import store

IDS = sa.select(contact.c.id)


@pytest.fixture
def people(sqlite_engine):
    with sqlite_engine.begin() as db:
        for number in range(40):
            store.add_contact(db, key=str(number))
    return sqlite_engine


def _asked(known: sa.Table | None, ends: ahead.Ends | None) -> sa.Select:
    if known is None:
        return IDS
    those = contact.c.id.in_(sa.select(known.c.id))
    return IDS.where(those) if ends is None else IDS.where(~those, contact.c.id >= ends[0], contact.c.id < ends[1])


def _whole(known: sa.Table | None, ends: ahead.Ends | None) -> sa.Select:
    assert (known, ends) == (None, None)
    return IDS


def _used(db, questions) -> list[int]:
    """Write the answers of each question before the next is asked for."""
    found = []
    with closing(questions):
        for question in questions:
            db.execute(sa.delete(alias))
            rows = question.subquery()
            db.execute(sa.insert(alias).from_select(["key", "contact_id"], sa.select(rows.c.id, rows.c.id)))
            found += db.scalars(sa.select(alias.c.contact_id))
    return sorted(found)


@pytest.mark.parametrize("known", [0, 3, 40], ids=lambda known: f"{known} asked for at once")
@pytest.mark.parametrize("end", [1, 2, 8, 41, 5000], ids=lambda end: f"below {end}")
def test_all_are_answered_once(people, known, end) -> None:
    everybody = {*range(1, known + 1), *range(1, min(end, 41))}
    with people.begin() as db:
        assert ahead.possible(db)
        first = IDS.where(contact.c.id <= known)
        assert _used(db, ahead.divided(db, first, (1, end), _asked)) == sorted(everybody)


@pytest.fixture
def begun(monkeypatch):
    """Said when the second connection has begun with a part: the first waits with its own for that."""
    said, keep = threading.Event(), ahead._keep

    def first_own(questions):
        with closing(questions):
            for number, question in enumerate(questions):
                assert number or said.wait(20)
                yield question

    def kept(reader, name, table, question):
        if name != "ahead0":
            said.set()
        keep(reader, name, table, question)

    monkeypatch.setattr(ahead, "_keep", kept)
    return first_own


def test_an_error_of_the_second_connection_is_an_error_of_the_first(people, begun) -> None:
    asked = []

    def ask(known, ends):
        asked.append(ends)
        wrong = len(asked) == 3  # of those who share, of the first connection, of the second
        return IDS.where(sa.column("nowhere") == 1) if wrong else _asked(known, ends)

    with people.begin() as db, pytest.raises(sa.exc.OperationalError, match="nowhere"):
        _used(db, begun(ahead.divided(db, IDS.where(contact.c.id < 3), (1, 41), ask)))
    with people.begin() as db:
        assert ahead.possible(db)


def test_whoever_stops_early_leaves_nothing(people, tmp_path) -> None:
    with people.begin() as db:
        answers = ahead.divided(db, IDS, (1, 41), _asked)
        next(answers)
        answers.close()
        assert not list(tmp_path.glob(".ahead-*"))
    with people.begin() as db:
        assert {row[1] for row in db.exec_driver_sql("PRAGMA database_list")} <= {"main", "temp"}
        assert db.scalar(sa.select(sa.func.count()).select_from(contact)) == 40


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
    for name in ("elsewhere", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere" / "link.db").symlink_to(real)
    folders, make = [], tempfile.mkstemp

    def made(*, dir: Path, **named):  # noqa: A002 - as `mkstemp` calls it
        folders.append(dir)
        return make(dir=dir, **named)

    monkeypatch.setattr(tempfile, "mkstemp", made)
    monkeypatch.chdir(tmp_path / "elsewhere")
    engine = connect("sqlite:///link.db")
    monkeypatch.chdir(tmp_path / "other")
    with engine.begin() as db:
        assert _used(db, ahead.divided(db, IDS, (1, 41), _asked)) == list(range(1, 41))
    assert set(folders) == {real.parent}


def test_who_waits_for_us_to_end_may_have_taken_the_whole_pool(people) -> None:
    people.pool._timeout = 0.2
    with ExitStack() as others, people.begin() as db:
        while people.pool.overflow() < people.pool._max_overflow:
            others.enter_context(people.connect()).connection  # noqa: B018 - takes it
        assert _used(db, ahead.divided(db, IDS, (1, 41), _asked)) == list(range(1, 41))


@pytest.mark.parametrize("number", [0, 4], ids=lambda number: f"after {number} files")
def test_where_no_file_can_be_made_all_are_asked_for_at_once(people, monkeypatch, number) -> None:
    make, made = tempfile.mkstemp, []

    def refused(**named):
        made.append(named)
        if len(made) > number:
            raise OSError(errno.EMFILE, "Too many open files")
        return make(**named)

    monkeypatch.setattr(tempfile, "mkstemp", refused)
    for _ in range(2):
        with people.begin() as db:
            assert _used(db, ahead.divided(db, IDS, (1, 41), _whole)) == list(range(1, 41))
            assert direct(db, "PRAGMA soft_heap_limit") == [(0,)]


def test_a_file_that_cannot_grow_is_an_error_and_nothing_is_written(people, tmp_path, monkeypatch, begun) -> None:
    keep = ahead._keep

    def small(reader, name, table, question):
        direct(reader, f"PRAGMA {name}.max_page_count = {100 if name == 'ahead0' else 1}")
        keep(reader, name, table, question)

    monkeypatch.setattr(ahead, "_keep", small)
    with pytest.raises(sa.exc.OperationalError, match="full"), people.begin() as db:
        _used(db, begun(ahead.divided(db, IDS.where(contact.c.id < 5), (1, 41), _asked)))
    with people.begin() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(alias)) == 0
    assert not list(tmp_path.glob(".ahead-*"))


def test_what_sqlite_may_keep_is_what_it_was_before(people) -> None:
    with people.begin() as db:
        direct(db, "PRAGMA soft_heap_limit = 123456789")
        assert _used(db, ahead.divided(db, IDS, (1, 41), _asked))
        assert direct(db, "PRAGMA soft_heap_limit") == [(123456789,)]
        direct(db, "PRAGMA soft_heap_limit = 0")


def test_of_two_databases_at_once_the_last_one_puts_back_what_sqlite_may_keep(people, tmp_path) -> None:
    another = connect(f"sqlite:///{tmp_path / 'another.db'}")
    metadata.create_all(another)
    with people.begin() as db, another.begin() as other:
        direct(db, "PRAGMA soft_heap_limit = 123456789")
        try:
            first, second = (ahead.divided(each, IDS, (1, 41), _asked) for each in (db, other))
            next(first), next(second)
            first.close()
            assert direct(db, "PRAGMA soft_heap_limit") == [(10_000_000,)]
            second.close()
            assert direct(db, "PRAGMA soft_heap_limit") == [(123456789,)]
        finally:
            direct(db, "PRAGMA soft_heap_limit = 0")
    another.dispose()


def test_what_the_second_is_at_ends_when_nobody_wants_it_any_more(people, monkeypatch) -> None:
    """Who gives a plan up holds the write lock until then."""
    running, ended, keep = threading.Event(), [], ahead._keep
    number = sa.select(sa.literal(1).label("i")).cte("number", recursive=True)
    number = number.union_all(sa.select(number.c.i + 1).where(number.c.i < 30_000_000))
    long = contact.c.id < sa.select(sa.func.max(number.c.i)).scalar_subquery()

    def asked(known, ends):
        question = _asked(known, ends)
        return question.where(long) if ends is not None else question

    def kept(reader, name, table, question):
        reader.connection.driver_connection.set_progress_handler(lambda: running.set() or 0, 1_000)
        try:
            keep(reader, name, table, question)
        except sa.exc.OperationalError as error:
            ended.append(str(error.orig))
            raise

    with people.begin() as db:
        with closing(ahead.divided(db, IDS.where(contact.c.id < 0), (1, 41), asked)) as questions:
            monkeypatch.setattr(ahead, "_keep", kept)
            next(questions)
            assert running.wait(20)
        assert ended == ["interrupted"]
