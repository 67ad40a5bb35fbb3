"""A second connection works rows out, and the first one writes them as they came: PostgreSQL."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest
import sqlalchemy as sa

from vinculo.db import connect, relay
from vinculo.db.tables import alias, contact
from vinculo.testing import store

IDS = sa.select(contact.c.id)
FIRST = IDS.where(contact.c.id <= 3)
#: Those who are connected to our database beside whoever asks.
OTHERS = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND "
    "backend_type = 'client backend' AND application_name <> 'kept'"
)

WAITS = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")


@pytest.fixture
def people(postgres_engine):
    with postgres_engine.begin() as db:
        for number in range(40):
            store.add_contact(db, key=str(number))
    return postgres_engine


def _alone(db: sa.Connection) -> bool:
    """Whether nobody else is connected, or soon will be: a server needs a moment for who goes."""
    since = time.monotonic()
    while others := db.scalar(OTHERS):
        assert time.monotonic() < since + 20, others
        db.execute(sa.select(sa.func.pg_stat_clear_snapshot()))
    return True


def _asked(known: sa.FromClause | None, ends: relay.Ends | None) -> sa.Select:
    if known is None:
        return IDS
    those = contact.c.id.in_(sa.select(known.c.id))
    return IDS.where(those) if ends is None else IDS.where(~those, contact.c.id >= ends[0], contact.c.id < ends[1])


def _named(question: sa.Select) -> sa.Select:
    """Rows of `alias`, in other types than its columns have."""
    row = question.subquery()
    return sa.select(
        sa.cast(row.c.id, sa.Numeric).label("contact_id"), sa.literal("%s 'é\\").concat(row.c.id).label("key")
    )


def _divided(db, first=FIRST, span=(1, 41), ask=_asked, made=_named):
    return relay.divided(db, alias, first, span, ask, made)


def _used(db, parts) -> list[int]:
    """Enter each part before the next is asked for; the numbers of all."""
    count = 0
    with closing(parts):
        for part in parts:
            if isinstance(part, relay.Rows):
                count += part.enter(db)
            else:
                rows = _named(part)
                statement = sa.insert(alias).from_select(rows.selected_columns.keys(), rows)
                count += db.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
    found = list(db.execute(sa.select(alias).order_by(alias.c.contact_id)))
    assert all(row.key == f"%s 'é\\{row.contact_id}" for row in found)
    assert count == len(found)
    return [row.contact_id for row in found]


def _parts(parts) -> list[type]:
    """Of which kind they are; they are entered by nobody."""
    with closing(parts):
        return [type(next(parts))]


@pytest.mark.parametrize("known", [0, 3, 40], ids=lambda known: f"{known} asked for at once")
@pytest.mark.parametrize("span", [(1, 2), (1, 41), (1, 5000), (20, 30), (-9, 0)], ids=lambda span: f"of {span}")
def test_all_are_entered_once(people, known, span) -> None:
    """Also those beyond the numbers that there were when they were looked up."""
    with people.begin() as db:
        assert relay.possible(db)
        assert _used(db, _divided(db, IDS.where(contact.c.id <= known), span)) == list(range(1, 41))
        assert _alone(db)


def test_it_is_possible_only_before_anything_is_written_and_outside_of_savepoints(people) -> None:
    with people.begin() as db:
        assert relay.possible(db)
        with db.begin_nested():
            assert not relay.possible(db)
        assert relay.possible(db)
        store.add_contact(db, key="new")
        assert not relay.possible(db)


def test_what_others_commit_meanwhile_is_not_seen_nor_what_the_first_writes(people) -> None:
    with people.begin() as db, closing(_divided(db)) as parts:
        count = next(parts).enter(db)
        with people.begin() as other:
            store.add_contact(other, key="new")
        store.add_contact(db, key="our own")
        count += sum(part.enter(db) for part in parts)
    assert count == 40


def test_nor_is_what_they_commit_before_the_second_has_begun(people, monkeypatch) -> None:
    opened = relay._Reader._opened

    def late(reader):
        driver = opened(reader)
        with people.begin() as other:
            store.add_contact(other, key="new")
        return driver

    monkeypatch.setattr(relay._Reader, "_opened", late)
    with people.begin() as db:
        assert _used(db, _divided(db)) == list(range(1, 41))


def test_an_error_of_the_second_connection_is_an_error_of_the_first(people) -> None:
    def ask(known, ends):
        return IDS.where(sa.literal(1) / (contact.c.id - 20) > -5) if ends else _asked(known, ends)

    with pytest.raises(sa.exc.DataError, match="division by zero"), people.begin() as db:
        _used(db, _divided(db, ask=ask))
    with people.begin() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(alias)) == 0
        assert _alone(db)


def test_an_error_of_the_first_ends_the_second(people) -> None:
    def doubled(known, ends):
        twice = sa.func.generate_series(1, 2).table_valued("number", name="twice").render_derived()
        return _asked(known, ends).join(twice, sa.true())

    with pytest.raises(sa.exc.IntegrityError, match="pk_alias"), people.begin() as db:
        _used(db, _divided(db, ask=doubled))
    with people.begin() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(alias)) == 0
        assert _alone(db)


@pytest.mark.parametrize("counted", [False, True], ids=["in mid-part", "in mid-question"])
def test_whoever_stops_early_leaves_nothing(people, counted) -> None:
    """Also when as much waits as may, and while the server works on what nobody will ask for."""
    some = (sa.func.generate_series(1, 20_000).table_valued("number", name=name).render_derived() for name in "abc")
    a, b, c = some
    endless = sa.select(a.c.number).join(b, sa.true()).join(c, sa.true())
    if counted:
        endless = sa.select(sa.func.count()).select_from(endless.subquery())

    def ask(known, ends):
        return IDS.join(endless.subquery(), sa.true()) if ends else _asked(known, ends)

    with people.begin() as db:
        parts = _divided(db, ask=ask)
        next(parts)
        assert db.scalar(OTHERS) == 1
        parts.close()
        assert _alone(db)
        assert db.scalar(sa.select(sa.func.count()).select_from(contact)) == 40


@pytest.fixture
def poor(people):
    """A role that may connect once and has a number of settings that end what takes long."""
    name = people.url.database
    with people.begin() as db:
        for statement in (
            f"CREATE ROLE poor_{name} LOGIN CONNECTION LIMIT 1",
            f"ALTER ROLE poor_{name} SET statement_timeout = '20s'",
            f"ALTER ROLE poor_{name} SET idle_in_transaction_session_timeout = '20s'",
            f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO poor_{name}",
        ):
            db.exec_driver_sql(statement)
    engine = connect(people.url.set(username=f"poor_{name}").render_as_string(hide_password=False))
    yield engine
    engine.dispose()
    with people.begin() as db:
        db.exec_driver_sql(f"DROP OWNED BY poor_{name}")
        db.exec_driver_sql(f"DROP ROLE poor_{name}")


def test_where_no_second_connection_can_be_had_all_are_asked_for_at_once(poor) -> None:
    with poor.begin() as db:
        assert _used(db, _divided(db)) == list(range(1, 41))
    with poor.begin() as db:
        assert _parts(_divided(db)) == [sa.Select]


def test_one_that_comes_too_late_goes_again(people, monkeypatch) -> None:
    some = (sa.func.generate_series(1, 20_000).table_valued("number", name=name).render_derived() for name in "abc")
    a, b, c = some
    endless = sa.select(sa.func.count()).select_from(a.join(b, sa.true()).join(c, sa.true())).scalar_subquery()
    monkeypatch.setattr(relay, "_PATIENCE", 0)
    with people.begin() as db:
        assert _used(db, _divided(db, IDS.where(endless > 0))) == list(range(1, 41))
        assert _alone(db)


def test_the_second_has_the_memory_of_the_first_and_is_not_ended_for_taking_long(people, poor) -> None:
    names = "work_mem", "statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout"
    told = sa.func.concat_ws(" ", *(sa.func.current_setting(name) for name in names))

    def made(question):
        row = question.subquery()
        return sa.select(row.c.id.label("contact_id"), told.concat(" ").concat(row.c.id).label("key"))

    with people.begin() as db:
        db.exec_driver_sql(f"ALTER ROLE {poor.url.username} CONNECTION LIMIT 2")
    with poor.begin() as db:
        db.exec_driver_sql("SET LOCAL work_mem = '123MB'")
        with closing(_divided(db, made=made)) as parts:
            assert sum(part.enter(db) for part in parts) == 40
        assert db.scalar(sa.select(alias.c.key).where(alias.c.contact_id == 7)) == "123MB 0 0 5s 7"
        assert db.scalar(sa.text("SELECT current_setting('idle_in_transaction_session_timeout')")) == "0"


def _changing(engine, db, statement: str) -> threading.Thread:
    """Another who wants to change a table, and waits; to be joined when *db* has ended."""

    def change() -> None:
        with engine.begin() as other:
            other.exec_driver_sql("SET LOCAL application_name = 'kept'")
            other.exec_driver_sql(statement)

    thread = threading.Thread(target=change)
    thread.start()
    while thread.is_alive() and not db.scalar(WAITS):
        pass
    return thread


def test_it_does_not_wait_for_whoever_waits_for_the_first_to_change_a_table(people) -> None:
    with people.begin() as db:
        db.execute(IDS).all()
        waiting = _changing(people, db, "LOCK TABLE contact IN ACCESS EXCLUSIVE MODE")
        assert _used(db, _divided(db)) == list(range(1, 41))
        assert db.scalar(WAITS) == 1
    waiting.join(20)
    with people.begin() as db:
        assert _parts(_divided(db)) == [relay.Rows]


@pytest.mark.parametrize("lock", ["alias IN ACCESS EXCLUSIVE", "alias IN SHARE", "contact IN ACCESS EXCLUSIVE"])
def test_whoever_comes_to_change_a_table_that_the_first_has_not_used_yet_waits(people, monkeypatch, lock) -> None:
    """Else the first would wait for it, it for the second, and the second for room, which the first makes."""
    monkeypatch.setattr(relay, "_BLOCK", 1)
    monkeypatch.setattr(relay, "_BLOCKS", 1)
    with people.begin() as db, closing(_divided(db)) as parts:
        part = next(parts)
        waiting = _changing(people, db, f"LOCK TABLE {lock} MODE")
        db.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        assert part.enter(db) + sum(part.enter(db) for part in parts) == 40
        assert db.scalar(WAITS) == 1
    waiting.join(20)


def test_whoever_holds_the_first_up_and_waits_for_the_second_does_not_do_so_for_ever(people, monkeypatch) -> None:
    monkeypatch.setattr(relay, "_BLOCK", 1)
    monkeypatch.setattr(relay, "_BLOCKS", 1)
    monkeypatch.setattr(relay, "_LONG", "100ms")
    reads = sa.text("SELECT count(*) FROM pg_locks WHERE relation = 'pk_contact'::regclass")
    waiting = None
    with pytest.raises(sa.exc.OperationalError, match="lock timeout"), people.begin() as db:
        db.exec_driver_sql("SET LOCAL statement_timeout = '20s'")
        with closing(_divided(db)) as parts:
            part = next(parts)
            while not db.scalar(reads):
                pass
            waiting = _changing(people, db, "REINDEX TABLE contact")
            assert not part.enter(db) + sum(part.enter(db) for part in parts)
    waiting.join(20)
    assert not waiting.is_alive()
