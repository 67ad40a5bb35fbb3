"""How batches are written: soon, and with every new row asked about."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.unit.contacts.conftest import Take
from vinculo import consent
from vinculo.contacts import find
from vinculo.contacts.importing import contacts as importing
from vinculo.contacts.importing import reading
from vinculo.contacts.importing.batch import TABLES, Way
from vinculo.contacts.importing.writing.closed import Closed
from vinculo.db import metadata
from vinculo.feedback.leaving import leave


def test_what_a_long_run_of_wrong_rows_says_is_written_before_its_end(
    engine: sa.Engine, take: Take, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing._Writer, "_TOGETHER", 0)
    take("key,email,consent.news\na,a@x.org,yes\n")
    said: list[bool] = []

    def look(_: int) -> None:
        with engine.connect().execution_options(read_only=True) as db:
            said.append(consent.live(db, find(db, "a") or 0, now)["email", "news"])

    wrong = "a,a@x.org,31/02/1980,no\n" * 6
    take(f"key,email,birthdate,consent.news\n{wrong}", batch=2, progress=look)
    assert said == [False] * 4


def test_every_table_that_an_import_adds_to_is_asked_about(engine: sa.Engine, take: Take) -> None:
    head = "key,email,phone,id.shop,tags,size,birthdate,consent.news\n"
    rows = [f"{n},a{n}@x.org,+551191234560{n},s{n},x;y,3,1980-02-03,yes\n" for n in range(4)]
    odd = "0,b@x.org;c@x.org,,,z,,,no\n,d@x.org,,,,,,yes\n1,,,,,,31/02/1980,no\n9,d@x.org,,,,,,\n"
    take(head + "".join(rows[:2]))
    take(head + "".join(rows) + odd, batch=2)
    with engine.connect() as db:
        full = [table for table in metadata.sorted_tables if db.execute(sa.select(table).limit(1)).first()]
    assert {table for table in full if table.foreign_keys} == set(TABLES)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_batch_asks_by_indexes_and_compiles_nothing_and_leaves_the_connection_as_it_was(
    engine: sa.Engine, take: Take
) -> None:
    """PostgreSQL 15 took 0.4 s to compile the statements of a batch of whatever size."""
    names = "enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"
    ask = sa.select(*map(sa.func.current_setting, names))
    seen: list[tuple[str, ...]] = []
    sa.event.listen(engine, "commit", lambda db: seen.append(tuple(db.execute(ask).one())))
    take("key,email\na,a@x.org\nb,b@x.org\n", batch=1)
    _, *batches, _ = seen  # the first commit notes the file of errors, the last that there is none
    assert set(batches) == {("off",) * len(names)}
    with engine.connect() as db:
        assert tuple(db.execute(ask).one()) == ("on",) * len(names)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_no_batch_looks_through_a_table(engine: sa.Engine, take: Take) -> None:
    """Each looked through all contacts for who was erased: at a million that was a quarter of an import."""
    grown = ("contact", "address", "alias", "consent", "permission", "identifier", "tag")
    table = sa.table("pg_stat_xact_user_tables", sa.column("relname"), sa.column("seq_scan"))
    looked = sa.select(table.c.relname).where(table.c.relname.in_(grown), table.c.seq_scan > 0)
    seen: list[str] = []
    sa.event.listen(engine, "commit", lambda db: seen.extend(db.scalars(looked)))
    for _ in range(2):
        take("key,email,id.crm,tags,consent.news\na,a@x.org,1,t,yes\nb,b@x.org,2,t,no\n,b@x.org,,,yes\n", batch=1)
    assert seen == []


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_no_that_ends_a_yes_reads_the_answers_of_its_contacts_and_not_all(engine: sa.Engine, take: Take) -> None:
    """It joined all consents by their index, of which nobody knew yet how many there were: at a million 0.2 s a no."""
    with engine.begin() as db:
        db.execute(sa.text("ALTER TABLE consent SET (autovacuum_enabled = off)"))
    take("key,email,consent.news\n" + "".join(f"c{n},c{n}@x.org,yes\n" for n in range(3_000)))
    table = sa.table("pg_stat_xact_user_tables", sa.column("relname"), sa.column("idx_tup_fetch"))
    ask = sa.select(table.c.idx_tup_fetch).where(table.c.relname == "consent")
    read: list[int] = []
    sa.event.listen(engine, "commit", lambda db: read.append(db.scalar(ask) or 0))
    take("key,email,consent.news\nn,c7@x.org,no\nm,c8@x.org,no\n", batch=1)
    _, first, second, *_ = read  # the first batch of an import reads all noes that are there
    assert second - first < 1_000


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("column", ["email", "phone", "id.crm"])
def test_a_file_without_keys_asks_for_its_rows_and_not_for_all_that_is_there(
    engine: sa.Engine, take: Take, column: str
) -> None:
    name = {"email": "a{}@x.org", "phone": "+55119{:08}", "id.crm": "k{}"}[column].format
    asked = [0]

    def count() -> None:
        asked[-1] += 1

    @sa.event.listens_for(engine, "checkout")
    def watch(driver: Any, *_: object) -> None:
        driver.set_progress_handler(count, 100)

    def rows(first: int, number: int) -> str:
        return f"{column},city\n" + "".join(f"{name(n)},Natal\n" for n in range(first, first + number))

    for text in (rows(0, 200), rows(0, 200), rows(1_000, 4_000), rows(10_000, 200), rows(0, 200)):
        take(text)
        asked.append(0)
    new, known, _, later, again, _ = asked
    assert later < 1.5 * new
    assert again < 1.5 * known


def test_what_a_batch_has_asked_is_forgotten_when_the_next_is_written(engine: sa.Engine, take: Take) -> None:
    """SQLAlchemy's statements are in circles, and hold all that they asked for: memory grew with the file."""
    held: list[int] = []

    def look(_: int) -> None:
        held.append(sum(isinstance(each, sa.BindParameter) for each in gc.get_objects()))

    rows = "".join(f"{n},a{n}@x.org,{'no' if n % 2 else 'yes'}\n" for n in range(120))
    take(f"key,email,consent.news\n{rows}", batch=10, progress=look)
    assert held[-1] < held[3] + 20


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_connection_that_is_lost_between_two_batches_is_replaced(engine: sa.Engine, take: Take) -> None:
    others = sa.text(
        "SELECT count(pg_terminate_backend(pid, 30000)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    ended: list[int] = []

    def end(_: int) -> None:
        with engine.connect() as db:
            ended.append(db.scalar(others) or 0)

    assert take("key\n" + "".join(f"{n}\n" for n in range(4)), batch=2, progress=end).created == 4
    assert ended[0] > 0


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[int], None]], None]:
    """Has something done before each call of a method of `Way`, which is told the number of the call, from 0."""

    def ask(method: str, do: Callable[[int], None]) -> None:
        plain, numbers = getattr(Way, method), itertools.count()

        def first(self: Way, *rest: Any) -> Any:
            do(next(numbers))
            return plain(self, *rest)

        monkeypatch.setattr(Way, method, first)

    return ask


@pytest.fixture
def says_yes(engine: sa.Engine, now: datetime) -> Callable[[str], list[bool]]:
    """Which of the contacts, one letter a key, say yes to news."""

    def ask(keys: str) -> list[bool]:
        with engine.connect() as db:
            answers = [consent.live(db, find(db, key) or 0, now + timedelta(minutes=5)) for key in keys]
        return [each.get(("email", "news"), False) for each in answers]

    return ask


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("when", [("_lay", 1, ""), ("_sorted", 1, "news"), ("_lay", 10, "news"), ("_sorted", 10, "")])
def test_who_leaves_while_a_batch_is_written_leaves_for_all_at_the_address(
    engine: sa.Engine, take: Take, now: datetime, before, says_yes, when: tuple[str, int, str]
) -> None:
    method, batch, topic = when
    take("id,email,consent.news,consent_date\n1,a@x.org,yes,2026-01-01\n")

    def leaves(number: int) -> None:
        if number == 1 or batch > 1:  # of small batches the second brings in whom the no is to end
            with engine.begin() as other:
                consent.withdraw(other, 1, "email", topic, now - timedelta(minutes=2), source="page")

    before(method, leaves)
    later = f"{now - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}Z"
    rows = f"4,a@x.org,yes,{later}\n2,a@x.org,yes,\n3,b@x.org,yes,\n"
    assert take(f"id,email,consent.news,consent_date\n{rows}", batch=batch).refused == 1
    assert says_yes("1234") == [False, False, True, True]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("how", ["page", "console"])
def test_who_leaves_during_an_import_ends_no_yes_that_it_does_not_bring_in(
    engine: sa.Engine, take: Take, now: datetime, before, says_yes, how: str
) -> None:
    take("id,email,consent.news\n1,a@x.org;b@x.org,yes\n2,b@x.org,yes\n")
    at = now + timedelta(minutes=1)

    def leaves(_: int) -> None:
        with engine.begin() as other:
            if how == "page":  # at one of its two addresses
                leave(other, 1, ["email"], "", at, now=at, source="page", told={"email": "a@x.org"})
            else:
                consent.withdraw(other, 1, "email", "", at, source="console")

    before("_lay", leaves)
    assert take("id,email,consent.news\n3,c@x.org,yes\n").refused == 0
    assert says_yes("123") == [False, True, True]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("first", ["a@x.org", "c@x.org"])
def test_who_leaves_in_one_batch_and_is_seen_in_the_next_leaves_for_all_at_the_address(
    engine: sa.Engine, take: Take, now: datetime, before, says_yes, first: str
) -> None:
    take("id,email,consent.news\n1,a@x.org,yes\n")
    with engine.connect() as other:

        def leaves(batch: int) -> None:
            if batch == 0:
                at = now + timedelta(minutes=1)
                leave(other, 1, ["email"], "", at, now=at, source="page", told={"email": "a@x.org"})
            elif batch == 1:
                other.commit()

        before("_lay", leaves)
        take(f"id,email,consent.news\n2,{first},yes\n3,b@x.org,yes\n4,a@x.org,yes\n", batch=1)
    assert says_yes("1234") == [False, first == "c@x.org", True, False]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process draws all rows, also of a small file."""
    monkeypatch.setattr(reading, "_LARGE", 0)
    monkeypatch.setattr(reading, "_MEANWHILE", 0)


@pytest.mark.usefixtures("drawn")
def test_a_no_of_rows_that_another_process_drew_stands_against_an_older_yes_of_a_later_batch(
    take: Take, says_yes
) -> None:
    rows = "1,a@x.org,no,2026-03-01\n2,b@x.org,yes,\n3,c@x.org,yes,\n4,a@x.org,yes,2026-01-01\n"
    assert take(f"id,email,consent.news,consent_date\n{rows}", batch=1).refused == 1
    assert says_yes("1234") == [False, True, True, False]


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("seen", [1, 2])
def test_a_no_between_the_lines_of_two_batches_that_another_process_drew_counts_in_those_after_it(
    engine: sa.Engine, take: Take, now: datetime, before, says_yes, seen: int
) -> None:
    take("id,email,consent.news,consent_date\n1,a@x.org,yes,2026-01-01\n")
    with engine.connect() as other:

        def leaves(batch: int) -> None:
            if batch == 1:
                consent.withdraw(other, 1, "email", "", now - timedelta(minutes=1), source="page")
            if batch == seen:
                other.commit()

        before("_lay", leaves)
        rows = "".join(f"{n},{n}@x.org,yes\n" for n in range(2, 6)) + "6,a@x.org,yes\n"
        assert take(f"id,email,consent.news\n{rows}", batch=1).refused == 1
    assert says_yes("123456") == [False, True, True, True, True, False]


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_who_leaves_while_the_last_batch_is_committed_leaves_for_all_at_the_address(
    engine: sa.Engine, take: Take, now: datetime, monkeypatch: pytest.MonkeyPatch, says_yes
) -> None:
    take("id,email,consent.news\n1,a@x.org,yes\n")
    plain = Closed.follow
    with engine.connect() as other:
        consent.withdraw(other, 1, "email", "", now + timedelta(minutes=1), source="page")

        def late(self: Closed, *rest: Any) -> int:
            ended = plain(self, *rest)
            other.commit()
            return ended

        monkeypatch.setattr(Closed, "follow", late)
        assert take("id,email,consent.news\n2,a@x.org,yes\n3,b@x.org,yes\n").refused == 1
    assert says_yes("123") == [False, False, True]
