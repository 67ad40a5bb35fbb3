"""Transactions that write, one after another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa

from vinculo.db.statement import direct
from vinculo.errors import NotReady

#: After so many of its steps SQLite asks whether to go on: some milliseconds.
_STEPS = 100_000


class Transactions:
    """On SQLite over a connection that is kept: to take one from the pool and give it back costs as much as a commit.

    It is begun and committed past SQLAlchemy, whose listeners hear of it all the same, unless a statement has made
    SQLAlchemy take part: only then does `rollback()` take it back. A server's connection is taken anew each time, which
    finds out whether it is still there. Used by one thread or several.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._keeps = engine.dialect.name == "sqlite"
        #: By process: one that was forked has not opened its parent's.
        self._kept: dict[int, sa.Connection] = {}

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """A transaction; on SQLite it waits for the one writer before it."""
        return self._again() if self._keeps else self._engine.begin()

    @contextmanager
    def _again(self) -> Iterator[sa.Connection]:
        db = self._kept.pop(os.getpid(), None) or self._engine.connect()
        try:
            heard: Any = db.dispatch
            heard.begin(db)  # begins it
            yield db
            if joined := db.get_transaction():
                with joined:  # commits it, and takes it back should that fail
                    pass
            elif _goes_on(db):
                heard.commit(db)
                direct(db, "COMMIT")
        except BaseException:
            db.close()  # in whatever state it is: the pool mends it
            raise
        if self._kept.setdefault(os.getpid(), db) is not db:
            db.close()

    def close(self) -> None:
        """Give back what is kept."""
        if db := self._kept.pop(os.getpid(), None):
            db.close()


@contextmanager
def given_up(db: sa.Connection, asked: Callable[[], bool]) -> Iterator[None]:
    """Within the block a statement of SQLite's ends as soon as *asked* says so: `NotReady` takes its transaction back.

    Nobody else can write until then. On a server nobody waits for us.
    """
    if db.dialect.name != "sqlite":
        yield
        return
    driver: Any = db.connection.driver_connection
    driver.set_progress_handler(lambda: int(asked()), _STEPS)
    try:
        yield
    except sa.exc.OperationalError as error:
        if "interrupted" not in str(error.orig):
            raise
        raise NotReady("It was given up: its run was asked to stop", "Nothing is planned. Start it again.") from None
    finally:
        driver.set_progress_handler(None, 0)


def _goes_on(db: sa.Connection) -> bool:
    """Whether there is something to commit: a dry run has taken it back by `rollback()`."""
    driver: Any = db.connection.dbapi_connection
    return bool(driver.in_transaction)
