"""Many rows at once, as fast as the database takes them: SQLite in statements of a thousand rows, PostgreSQL by COPY.

Few and long statements also let another thread work meanwhile: Python waits for the database once a statement, not once
a row. So what is asked for comes back as one value, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from vinculo.db import image
from vinculo.db.statement import direct

#: SQLite takes 32,766 parameters in a statement.
_PARAMETERS = 32_766
#: Rows in a statement; what is left over is written by halves of that, so that the same few statements serve always.
_STEP = 1_024
#: Ids asked for in one statement.
_CHUNK = 10_000
Line = Sequence[Any]


def put(
    db: sa.Connection, table: sa.Table, columns: Sequence[str], lines: Sequence[Line], conflict: str = "DO NOTHING"
) -> None:
    """Insert *lines*, whose values are as the database has them (instants as numbers, JSON as text).

    *conflict*: what follows `ON CONFLICT`, on the target before it: `(key) DO UPDATE SET …`.
    """
    if not lines:
        return
    if db.dialect.name == "sqlite":
        _insert(db, table, columns, lines, f"ON CONFLICT {conflict}")
    else:
        _copy(db, table, columns, lines, conflict)


def add(db: sa.Connection, table: sa.Table, columns: Sequence[str], lines: Iterable[Line]) -> None:
    """Insert *lines* as `put` does, none of which is there: PostgreSQL copies them straight into the table.

    Lines that are made as they are asked for are made while the server takes those before them.
    Raises `sa.exc.IntegrityError` if one is; what the transaction wrote before is then to be taken back.
    """
    if db.dialect.name == "sqlite":
        # To be able to take back a statement alone, SQLite copies every page that it changes; see also `Intake`.
        _insert(db, table, columns, list(lines), "", "INSERT OR FAIL")
    elif lines:
        _into(db, table.name, columns, lines)


class Intake:
    """A connection, `db`, for many new rows of *tables*, in transactions that `begin` and `commit` enclose; on SQLite
    the same for all, with room for *cache* KiB of pages, which it keeps from one to the next.

    SQLite's foreign keys ask of row after row, and make it copy every page that a statement changes. Here `commit` asks
    of all new rows at once. A context manager.
    """

    def __init__(self, engine: sa.Engine, tables: Sequence[sa.Table], cache: int) -> None:
        self._engine, self.db = engine, engine.connect()
        self._asked: Sequence[sa.Table] = ()
        self._asks: list[tuple[str, int]] = []
        if engine.dialect.name == "sqlite":
            self._asked = tables
            self.db.detach()  # nobody else gets a connection that asks nothing
            driver: Any = self.db.connection.dbapi_connection
            driver.execute(f"PRAGMA cache_size = -{cache}")
            driver.execute("PRAGMA foreign_keys = OFF")
            driver.execute(f"ATTACH ':memory:' AS {image.ATTACHED}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def begin(self) -> None:
        """Begin a transaction; on SQLite it waits for the one writer before it.

        A server's connection is taken anew, which finds out whether it is still there.
        """
        if self.db.dialect.name != "sqlite":
            self.db.close()
            self.db = self._engine.connect()
        self.db.begin()
        self._asks = [(ask, _newest(self.db, table)) for table in self._asked for ask in _orphans(table)]

    def commit(self) -> None:
        """End the transaction. Raises `sa.exc.IntegrityError` for a new row that names another that is not there."""
        for ask, newest in self._asks:
            if self.db.exec_driver_sql(ask, (newest,)).first():
                raise sa.exc.IntegrityError(ask, None, ValueError("a row names another that is not there"))
        self.db.commit()


def _newest(db: sa.Connection, table: sa.Table) -> int:
    newest: int = db.scalar(sa.text(f"SELECT coalesce(max(rowid), 0) FROM {table.name}"))  # noqa: S608 - names of ours
    return newest


def _orphans(table: sa.Table) -> list[str]:
    """What finds rows of *table*, after one, that name another that is not there; a question a foreign key."""
    return [
        f"SELECT 1 FROM {table.name} WHERE rowid > ? "  # noqa: S608 - names of ours
        f"AND {each.parent.name} NOT IN (SELECT {each.column.name} FROM {each.column.table.name})"
        for each in table.foreign_keys
    ]


def numbers(db: sa.Connection, table: sa.Table, count: int) -> range:
    """Return ids for *count* new rows, one after another. On SQLite nobody else writes meanwhile."""
    if db.dialect.name == "sqlite":
        newest = db.scalar(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0))) or 0
        if table.dialect_options["sqlite"]["autoincrement"]:  # an id never comes back
            ever = db.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
            newest = max(newest, ever or 0)
        return range(newest + 1, newest + 1 + count)
    # In a statement of its own: for each number anew, finding the sequence took thirteen times as long as counting it.
    name = db.scalar(sa.select(sa.func.pg_get_serial_sequence(table.name, "id")))
    drawn = sa.select(sa.func.nextval(sa.cast(name, postgresql.REGCLASS)).label("number"))
    number = drawn.select_from(sa.func.generate_series(1, count)).subquery().c.number
    while count:
        first, last = db.execute(sa.select(sa.func.min(number), sa.func.max(number))).one()
        if last - first + 1 == count:  # else somebody took one in between, and these are given away
            return range(first, last + 1)
    return range(0)


def _insert(
    db: sa.Connection,
    table: sa.Table,
    columns: Sequence[str],
    lines: Sequence[Line],
    conflict: str,
    verb: str = "INSERT",
) -> None:
    start, step = 0, _STEP
    while start < len(lines):
        while step > len(lines) - start or step * len(columns) > _PARAMETERS:
            step //= 2
        part = lines[start : start + step]
        direct(db, _values(verb, table.name, tuple(columns), step, conflict), list(chain.from_iterable(part)))
        start += step


@lru_cache(maxsize=128)
def _values(verb: str, table: str, columns: tuple[str, ...], number: int, conflict: str) -> str:
    row = f"({','.join('?' * len(columns))})"
    return f"{verb} INTO {table} ({','.join(columns)}) VALUES {','.join([row] * number)} {conflict}"


def pour(db: sa.Connection, table: str, columns: Sequence[str], text: Iterable[bytes]) -> None:
    """Copy *text*, lines as PostgreSQL reads them, in whatever parts, into *table*; as `add` does."""
    with copying(db, table, columns) as copy:
        for part in text:
            copy.write(part)


def _into(db: sa.Connection, table: str, columns: Sequence[str], lines: Iterable[Line]) -> None:
    with copying(db, table, columns) as copy:
        for line in lines:
            copy.write_row(line)


@contextmanager
def copying(db: sa.Connection, table: str, columns: Sequence[str], form: str = "TEXT") -> Iterator[Any]:
    """What the driver writes into, of *form*, and PostgreSQL copies into *table*. Its errors are SQLAlchemy's."""
    driver: Any = db.connection.dbapi_connection
    text = f"COPY {table} ({','.join(columns)}) FROM STDIN (FORMAT {form})"
    try:
        with driver.cursor().copy(text) as copy:  # whose cursor says afterwards how many rows there were
            yield copy
    except db.dialect.loaded_dbapi.Error as error:
        kind = db.dialect.loaded_dbapi.Error
        raise sa.exc.DBAPIError.instance(text, None, error, kind, hide_parameters=True, dialect=db.dialect) from error


def _copy(db: sa.Connection, table: sa.Table, columns: Sequence[str], lines: Iterable[Line], conflict: str) -> None:
    """COPY knows no conflicts: first into a table of our own that lasts as long as the connection."""
    names, own = ",".join(columns), f"incoming_{table.name}"
    like = f"SELECT * FROM {table.name} WITH NO DATA"  # noqa: S608 - names of ours
    db.exec_driver_sql(f"CREATE TEMPORARY TABLE IF NOT EXISTS {own} ON COMMIT DELETE ROWS AS {like}")
    _into(db, own, columns, lines)
    db.exec_driver_sql(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {own} ON CONFLICT {conflict}")  # noqa: S608 - names of ours
    db.exec_driver_sql(f"TRUNCATE {own}")


def gather(db: sa.Connection, ask: sa.Select[Any], named: Iterable[str]) -> list[Any]:
    """Return the rows of *ask*, of numbers and texts, where `named` (see `listed`) holds *named*."""
    parameters = {"named": json.dumps(list(named), ensure_ascii=False)}
    if db.dialect.name != "sqlite":
        return [list(row) for row in db.execute(ask, parameters)]
    rows = ask.subquery()
    whole = sa.select(sa.func.json_group_array(sa.func.json_array(*rows.c)))
    found: list[Any] = json.loads(db.scalar(whole, parameters) or "[]")
    return found


def listed(db: sa.Connection) -> sa.FromClause:
    """The texts that `gather` is called with, as a table with the column `value`."""
    given = sa.bindparam("named", type_=sa.Text)
    if db.dialect.name == "sqlite":
        return sa.func.json_each(given).table_valued("value", name="listed")
    return sa.func.json_array_elements_text(sa.cast(given, sa.JSON)).table_valued("value", name="listed")


def among(db: sa.Connection, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether *column* is one of the texts that `gather` is called with.

    PostgreSQL sorts an array, and goes through an index once; for a join it begins anew at each text.
    """
    given = sa.select(listed(db).c.value)
    if db.dialect.name == "sqlite":
        return column.in_(given)
    return column == sa.any_(sa.func.array(given.scalar_subquery()))


def chunks(values: Iterable[Any], size: int = _CHUNK) -> Iterator[list[Any]]:
    """Cut *values* into lists of at most *size*."""
    source = iter(values)
    while chunk := list(islice(source, size)):
        yield chunk
