"""Statements that run for every few messages, built and compiled once: building one costs more than running it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa


class Statement:
    """What *build* returns, compiled at its first use on each kind of database. Call it to run it.

    Its values are parameters (`sa.bindparam`); a list of rows of any length is one (see `given`).
    """

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build
        self._compiled: dict[str, Any] = {}

    def __call__(self, db: sa.Connection, **values: Any) -> sa.CursorResult[Any]:
        """Run it with *values*."""
        name = db.dialect.name
        if name not in self._compiled:
            self._compiled[name] = self._build().compile(dialect=db.dialect)
        return db.execute(self._compiled[name], values)


def given() -> sa.TableValuedAlias:
    """The parameter `given`, a mapping from ids to JSON values, as a table of `id_of(…)` and `value`.

    One parameter whatever its length: no limit of parameters is met, and the statement is always the same.
    """
    rows = sa.func.json_each(sa.bindparam("given", type_=sa.JSON))
    return rows.table_valued("key", sa.column("value", sa.JSON), name="given")


def id_of(rows: sa.TableValuedAlias) -> sa.ColumnElement[int]:
    """The id of a row of `given`."""
    return sa.cast(rows.c.key, sa.BigInteger)
