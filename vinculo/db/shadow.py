"""Tables of one's own in front of those that are there: what is written into them nobody else sees or waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

#: What SQLite may keep of them in memory, in KiB.
_CACHE = 65_536
#: PostgreSQL looks for a temporary table first, unless the path itself says when.
_FIRST = """
SELECT set_config('search_path', string_agg(quote_ident(name), ','), false)
FROM unnest(current_schemas(false)) AS name WHERE name NOT LIKE 'pg~_temp~_%' ESCAPE '~'
"""


@contextmanager
def shadowed(engine: sa.Engine, tables: Sequence[sa.Table]) -> Iterator[sa.Connection]:
    """A connection for which *tables* are temporary copies of what they hold now. All others are as they are.

    On both databases a temporary table comes before another of its name. Nothing points at the copies, nor do they at
    others, and no trigger belongs to them. SQLite locks nothing for what is written into them.
    """
    db = engine.connect()
    db.detach()  # they last as long as the connection: nobody else gets it
    with db.execution_options(read_only=True):
        if engine.dialect.name == "sqlite":
            db.exec_driver_sql(f"PRAGMA temp.cache_size = -{_CACHE}")
        else:
            db.execute(sa.text(_FIRST))
        shadow(db, tables)
        db.commit()
        yield db


def shadow(db: sa.Connection, tables: Sequence[sa.Table]) -> None:
    """Put such copies before *tables* as well, as the transaction of *db*, which is from `shadowed`, sees them."""
    real = "main" if db.dialect.name == "sqlite" else db.scalar(sa.select(sa.func.current_schema()))
    for table in tables:
        _copy(db, table, db.dialect.identifier_preparer.quote(str(real)))


def _copy(db: sa.Connection, table: sa.Table, real: str) -> None:
    make = str(CreateTable(table, include_foreign_key_constraints=[]).compile(dialect=db.dialect))
    db.exec_driver_sql(make.replace("CREATE TABLE", "CREATE TEMPORARY TABLE", 1))
    names = ",".join(column.name for column in table.c)
    db.exec_driver_sql(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {real}.{table.name}")  # noqa: S608 - names of ours
    for index in sorted(table.indexes, key=lambda each: str(each.name)):
        db.execute(CreateIndex(index))
    number = table.autoincrement_column
    if db.dialect.name == "postgresql":
        if number is not None:
            sequence = sa.func.pg_get_serial_sequence(table.name, number.name)
            newest = sa.select(sa.func.coalesce(sa.func.max(number), 0) + 1).scalar_subquery()
            db.execute(sa.select(sa.func.setval(sequence, newest, sa.false())))
        db.exec_driver_sql(f"ANALYZE {table.name}")
