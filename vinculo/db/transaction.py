"""Transactions that write, one after another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa


class Transactions:
    """On SQLite over a connection that is kept: to take one from the pool and give it back costs as much as a commit.

    A server's is taken anew each time, which finds out whether it is still there. Used by one thread or several.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._keeps = engine.dialect.name == "sqlite"
        #: By process: one that was forked has not opened its parent's.
        self._kept: dict[int, sa.Connection] = {}

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction; on SQLite it waits for the one writer before it."""
        db = self._kept.pop(os.getpid(), None) or self._engine.connect()
        try:
            with db.begin():
                yield db
        except BaseException:
            db.close()  # in whatever state it is: the pool mends it
            raise
        if not self._keeps or self._kept.setdefault(os.getpid(), db) is not db:
            db.close()

    def close(self) -> None:
        """Give back what is kept."""
        if db := self._kept.pop(os.getpid(), None):
            db.close()
