"""Transactions over a kept connection are as separate as over a new one each."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa

from vinculo.db.statement import direct
from vinculo.db.tables import note
from vinculo.db.transaction import Transactions


def names(engine: sa.Engine) -> set[str]:
    with engine.connect().execution_options(read_only=True) as db:
        return set(db.scalars(sa.select(note.c.name)))


def write(transactions: Transactions, name: str) -> None:
    with transactions.begin() as db:
        db.execute(sa.insert(note).values(name=name, value=""))


def test_each_is_committed(engine: sa.Engine) -> None:
    transactions = Transactions(engine)
    write(transactions, "a")
    assert names(engine) == {"a"}
    write(transactions, "b")
    assert names(engine) == {"a", "b"}
    transactions.close()


def test_one_that_fails_is_rolled_back_and_harms_no_other(engine: sa.Engine) -> None:
    transactions = Transactions(engine)
    write(transactions, "a")
    with pytest.raises(ZeroDivisionError), transactions.begin() as db:
        db.execute(sa.insert(note).values(name="b", value=""))
        raise ZeroDivisionError
    with pytest.raises(sa.exc.IntegrityError):
        write(transactions, "a")
    write(transactions, "c")
    assert names(engine) == {"a", "c"}
    transactions.close()


def test_a_connection_is_kept_on_sqlite_and_given_back(engine: sa.Engine) -> None:
    transactions = Transactions(engine)
    write(transactions, "a")
    write(transactions, "b")
    assert engine.pool.checkedout() == (engine.dialect.name == "sqlite")
    transactions.close()
    assert engine.pool.checkedout() == 0


def test_threads_wait_for_each_other_and_share_nothing(engine: sa.Engine) -> None:
    transactions = Transactions(engine)
    threads = [
        threading.Thread(target=lambda n=n: [write(transactions, f"{n}-{m}") for m in range(10)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(engine)) == 40
    transactions.close()
    assert engine.pool.checkedout() == 0


def test_whoever_waits_too_long_for_another_hears_it_as_an_error_of_the_database(sqlite_engine: sa.Engine) -> None:
    transactions = Transactions(sqlite_engine)
    with transactions.begin():
        other = sqlite_engine.connect()
        other.connection.dbapi_connection.execute("PRAGMA busy_timeout=1")
        with pytest.raises(sa.exc.OperationalError, match="locked"):
            other.begin()
        other.invalidate()
        other.close()
    transactions.close()


@pytest.mark.parametrize("joined", [False, True])
def test_one_whose_commit_fails_is_taken_back_whether_sqlalchemy_took_part_or_not(
    sqlite_engine: sa.Engine, joined: bool
) -> None:
    def fail(_: sa.Connection) -> None:
        raise ZeroDivisionError

    transactions = Transactions(sqlite_engine)
    sa.event.listen(sqlite_engine, "commit", fail)
    with pytest.raises(ZeroDivisionError), transactions.begin() as db:
        direct(db, "INSERT INTO note (name, value) VALUES ('a', '')")
        if joined:
            db.execute(sa.insert(note).values(name="b", value=""))
    sa.event.remove(sqlite_engine, "commit", fail)
    write(transactions, "c")
    assert names(sqlite_engine) == {"c"}
    transactions.close()


def test_what_goes_past_sqlalchemy_and_what_does_not_is_one_transaction(sqlite_engine: sa.Engine) -> None:
    transactions = Transactions(sqlite_engine)
    with pytest.raises(ZeroDivisionError), transactions.begin() as db:
        direct(db, "INSERT INTO note (name, value) VALUES ('a', '')")
        db.execute(sa.insert(note).values(name="b", value=""))
        raise ZeroDivisionError
    assert names(sqlite_engine) == set()
    with transactions.begin() as db:
        direct(db, "INSERT INTO note (name, value) VALUES ('a', '')")
        db.execute(sa.insert(note).values(name="b", value=""))
        assert names(sqlite_engine) == set()
    assert names(sqlite_engine) == {"a", "b"}
    transactions.close()


def test_what_a_dry_run_takes_back_is_taken_back_and_is_no_error(engine: sa.Engine) -> None:
    transactions = Transactions(engine)
    with transactions.begin() as db:
        db.execute(sa.insert(note).values(name="a", value=""))
        db.rollback()
    write(transactions, "b")
    assert names(engine) == {"b"}
    transactions.close()
