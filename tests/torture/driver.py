"""SQLite's driver as the simulated world gives it to its workers: below all that is the product's.

At each edge of a transaction a worker gives way to the world; before each commit it may die, and each statement may
fail. So may the commit itself, also when it was made: then a server was lost before it could say so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Protocol


class Edges(Protocol):
    """Who decides; a `World` is one."""

    def step(self) -> None:
        """Whoever comes here gives way."""

    def mortal(self) -> None:
        """Whoever comes here may die."""

    def breaks(self) -> bool:
        """Whether the database fails here."""

    def surprised(self, error: Exception) -> None:
        """It failed, and nobody had decided that."""


class Driver(sqlite3.Connection):
    """A connection in the world that `of` returns."""

    def __init__(self, *words: Any, of: Callable[[], Edges], **keys: Any) -> None:
        super().__init__(*words, **keys)
        self._of, self._writes = of, False

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(factory or _Cursor)

    def execute(self, text: str, parameters: Any = ()) -> Any:
        return self.cursor().execute(text, parameters)

    def executemany(self, text: str, rows: Iterable[Any]) -> Any:
        return self.cursor().executemany(text, rows)

    def commit(self) -> None:
        self.run("COMMIT", super().commit)

    def run(self, text: str, do: Callable[[], Any]) -> Any:
        """*do* what runs *text*, in the world."""
        world = self._of()
        if text.startswith("BEGIN"):
            self._writes = text == "BEGIN IMMEDIATE"
            world.step()
        elif not self.in_transaction or text.startswith("PRAGMA"):  # which reads and writes nothing
            return do()
        if writes := text == "COMMIT" and self._writes:
            world.mortal()  # all of it is then as if it had not been
        if world.breaks():
            raise sqlite3.OperationalError("disk I/O error")
        try:
            done = do()
        except sqlite3.OperationalError as error:
            world.surprised(error)
            raise
        if writes:
            world.step()
            if world.breaks():
                raise sqlite3.OperationalError("the server closed the connection")
        return done


class _Cursor(sqlite3.Cursor):
    connection: Driver

    def execute(self, text: str, parameters: Any = ()) -> Any:
        return self.connection.run(text, lambda: super(_Cursor, self).execute(text, parameters))

    def executemany(self, text: str, rows: Iterable[Any]) -> Any:
        return self.connection.run(text, lambda: super(_Cursor, self).executemany(text, rows))
