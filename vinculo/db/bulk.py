"""Many rows at once, as fast as the database takes them: SQLite in statements of a thousand rows, PostgreSQL by COPY.

Few and long statements also let another thread work meanwhile: Python waits for the database once a statement, not once
a row. So what is asked for comes back as one value, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import sqlalchemy as sa

from vinculo.db.statement import direct

#: SQLite takes 32,766 parameters in a statement.
_PARAMETERS = 32_766
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
        step = _PARAMETERS // len(columns)
        for start in range(0, len(lines), step):
            part = lines[start : start + step]
            direct(db, _values(table.name, tuple(columns), len(part), conflict), list(chain.from_iterable(part)))
    else:
        _copy(db, table, columns, lines, conflict)


@lru_cache(maxsize=32)
def _values(table: str, columns: tuple[str, ...], number: int, conflict: str) -> str:
    row = f"({','.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES {','.join([row] * number)} ON CONFLICT {conflict}"  # noqa: S608 - names of ours


def _copy(db: sa.Connection, table: sa.Table, columns: Sequence[str], lines: Iterable[Line], conflict: str) -> None:
    """COPY knows no conflicts: first into a table of our own that lasts as long as the connection."""
    names, own = ",".join(columns), f"incoming_{table.name}"
    like = f"SELECT {names} FROM {table.name} WITH NO DATA"  # noqa: S608 - names of ours
    db.exec_driver_sql(f"CREATE TEMPORARY TABLE IF NOT EXISTS {own} ON COMMIT DELETE ROWS AS {like}")
    driver: Any = db.connection.dbapi_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {own} ({names}) FROM STDIN") as copy:
        for line in lines:
            copy.write_row(line)
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
