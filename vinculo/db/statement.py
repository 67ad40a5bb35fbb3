"""Statements that run for every few messages, built and compiled once: building one costs more than running it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

#: A row of a result, whose columns have numbers.
Row = tuple[Any, ...] | sa.Row[Any]
#: The parameter of `these`.
_IDS = "ids"


class Statement:
    """What *build* returns, compiled at its first use on each kind of database. Call it to run it.

    Its values are parameters (`sa.bindparam`); a list of rows of any length is one (see `given`, `these`).
    """

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build
        self._compiled: dict[str, Any] = {}
        self._direct: _Direct | None = None

    def __call__(self, db: sa.Connection, **values: Any) -> sa.CursorResult[Any]:
        """Run it with *values*."""
        return db.execute(self._compiled_for(db), values)

    def _compiled_for(self, db: sa.Connection) -> Any:
        name = db.dialect.name
        if name not in self._compiled:
            self._compiled[name] = self._build().compile(dialect=db.dialect)
        return self._compiled[name]

    def _direct_for(self, db: sa.Connection) -> _Direct:
        if self._direct is None:
            self._direct = _Direct(self._build(), db.dialect)
        return self._direct

    def ids(self, db: sa.Connection, **values: Any) -> set[int]:
        """Run it with *values* and return the ids that it returns. As `rows`."""
        return {row[0] for row in self.rows(db, **values)}

    def rows(self, db: sa.Connection, **values: Any) -> Sequence[Row]:
        """Run it with *values* and return its rows, numbers and texts only: as the database has them.

        On SQLite past SQLAlchemy, whose way to a cursor and back costs as much as changing thirty rows.
        """
        if db.dialect.name != "sqlite":
            return self(db, **values).all()
        return self._direct_for(db)(db, values)

    def run(self, db: sa.Connection, **values: Any) -> None:
        """Run it with *values*; it returns nothing. As `rows`."""
        if db.dialect.name != "sqlite":
            self(db, **values)
        else:
            self.rows(db, **values)

    def many(self, db: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it once for each of *rows*, its values; it returns nothing. As `rows`."""
        if db.dialect.name != "sqlite":
            db.execute(self._compiled_for(db), rows)
            return
        self._direct_for(db).many(db, rows)


class Change(Statement):
    """An UPDATE of some of *these* or of `given` rows, built without RETURNING; `of` runs it."""

    def of(self, db: sa.Connection, ids: Sequence[int], **values: Any) -> set[int]:
        """Change those of the rows *ids* that meet its conditions; return which they were."""
        if db.dialect.name != "sqlite":
            return {row[0] for row in self(db, ids=ids, **values)}
        # Nearly always all of them: to have them named takes half as long as to change them.
        direct(db, "SAVEPOINT changed")
        text, parameters = self._direct_for(db).made({_IDS: ids, **values})
        every = _number_changed(db, text, parameters) == len(ids)
        direct(db, "RELEASE changed" if every else "ROLLBACK TO changed")
        return set(ids) if every else {row[0] for row in direct(db, f"{text} RETURNING id", parameters)}

    def _compiled_for(self, db: sa.Connection) -> Any:
        name = db.dialect.name
        if name not in self._compiled:
            update = self._build()
            self._compiled[name] = update.returning(update.table.c.id).compile(dialect=db.dialect)
        return self._compiled[name]


class _Direct:
    """A statement as the driver takes it: its text, and how each parameter is made of a value."""

    def __init__(self, statement: Any, dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self._text = str(compiled)
        #: By the number of `ids`: a power of two, so that there are few, and each is prepared once.
        self._texts: dict[int, str] = {}
        self._names: list[str] = compiled.positiontup
        bound = {name: compiled.binds[name] for name in self._names}
        spells = {name: each.type.dialect_impl(dialect).bind_processor(dialect) for name, each in bound.items()}
        #: How those are made that a caller gives, each once however often it is used; the others are made already.
        self._spells = {name: spell for name, spell in spells.items() if spell and bound[name].required}
        self._fixed = {
            name: spell(bound[name].value) if spell else bound[name].value
            for name, spell in spells.items()
            if not bound[name].required
        }

    def __call__(self, db: sa.Connection, values: Mapping[str, Any]) -> list[Row]:
        return direct(db, *self.made(values))

    def made(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The text and its parameters."""
        parameters = self._parameters(values)
        if _IDS not in self._names:
            return self._text, parameters
        ids, place = values[_IDS], self._names.index(_IDS)
        number = 1 << (len(ids) - 1).bit_length()
        if number not in self._texts:
            self._texts[number] = self._text.replace(f"__[POSTCOMPILE_{_IDS}]", ",".join("?" * number))
        parameters[place : place + 1] = [*ids, *repeat(ids[-1], number - len(ids))]  # one that is named twice is one
        return self._texts[number], parameters

    def many(self, db: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        driver: Any = db.connection.dbapi_connection
        try:
            driver.executemany(self._text, self._all_parameters(rows))
        except sqlite3.Error as error:
            raise _as_sqlalchemy_says(db, self._text, error) from error

    def _all_parameters(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        if not self._spells and not self._fixed and len(self._names) > 1:
            return list(map(itemgetter(*self._names), rows))
        return [self._parameters(values) for values in rows]

    def _parameters(self, values: Mapping[str, Any]) -> list[Any]:
        known = {**self._fixed, **values}
        for name, spell in self._spells.items():
            known[name] = spell(values[name])
        return [known[name] for name in self._names]


def direct(db: sa.Connection, text: str, parameters: Sequence[Any] = ()) -> list[Row]:
    """Run *text* as SQLite's driver takes it, and return its rows; its errors are SQLAlchemy's all the same."""
    driver: Any = db.connection.dbapi_connection
    try:
        rows: list[Row] = driver.execute(text, parameters).fetchall()
    except sqlite3.Error as error:
        raise _as_sqlalchemy_says(db, text, error) from error
    return rows


def _number_changed(db: sa.Connection, text: str, parameters: Sequence[Any]) -> int:
    driver: Any = db.connection.dbapi_connection
    try:
        return int(driver.execute(text, parameters).rowcount)
    except sqlite3.Error as error:
        raise _as_sqlalchemy_says(db, text, error) from error


def _as_sqlalchemy_says(db: sa.Connection, text: str, error: sqlite3.Error) -> Exception:
    return sa.exc.DBAPIError.instance(text, None, error, sqlite3.Error, hide_parameters=True, dialect=db.dialect)


def these(column: sa.ColumnElement[int] | sa.Column[int]) -> sa.ColumnElement[bool]:
    """The rows whose *column* is among the parameter `ids`, a list that is not empty."""
    return column.in_(sa.bindparam(_IDS, expanding=True, type_=sa.BigInteger))


def given() -> sa.TableValuedAlias:
    """The parameter `given`, a mapping from ids to JSON values, as a table of `id_of(…)` and `value`.

    One parameter whatever its length: no limit of parameters is met, and the statement is always the same.
    """
    rows = sa.func.json_each(sa.bindparam("given", type_=sa.JSON))
    return rows.table_valued("key", sa.column("value", sa.JSON), name="given")


def id_of(rows: sa.TableValuedAlias) -> sa.ColumnElement[int]:
    """The id of a row of `given`."""
    return sa.cast(rows.c.key, sa.BigInteger)
