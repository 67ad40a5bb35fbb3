"""Copies of tables that only one connection sees."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.db.shadow import shadow, shadowed
from vinculo.db.tables import address, contact

_COUNT = sa.select(sa.func.count()).select_from(contact)


def _add(db: sa.Connection, key: str, now: datetime) -> int:
    row = {"key": key, "first_seen": now, "updated_at": now}
    return db.scalar(sa.insert(contact).values(row).returning(contact.c.id)) or 0


def test_what_is_written_into_a_copy_nobody_else_sees_or_waits_for(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        assert _add(db, "a", now) == 1
    with shadowed(engine, (contact, address)) as own:
        assert _add(own, "b", now) == 2
        with engine.begin() as other:  # while the copy's transaction is open
            if engine.dialect.name == "postgresql":
                other.execute(sa.text("SET LOCAL lock_timeout = 1000"))
            _add(other, "b", now)
            _add(other, "c", now)
            assert other.scalar(_COUNT) == 3
        assert own.scalar(_COUNT) == 2
        own.commit()
        assert own.scalar(_COUNT) == 2
    with engine.connect() as db:
        assert list(db.scalars(sa.select(contact.c.key).order_by(contact.c.key))) == ["a", "b", "c"]


def test_a_copy_has_the_columns_indexes_and_rules_of_its_table(engine: sa.Engine) -> None:
    with shadowed(engine, (contact, address)) as own, engine.connect() as db:
        copies, real = sa.inspect(own), sa.inspect(db)
        schema = "temp" if engine.dialect.name == "sqlite" else _schema(own)
        for table in (contact.name, address.name):
            for ask in ("get_columns", "get_indexes", "get_unique_constraints"):
                held, wanted = getattr(copies, ask)(table, schema=schema), getattr(real, ask)(table)
                assert list(map(_told, held)) == list(map(_told, wanted)) != []


def test_a_copy_comes_before_its_table_also_where_the_path_says_otherwise(
    postgres_engine: sa.Engine, now: datetime
) -> None:
    with postgres_engine.begin() as db:
        db.execute(sa.text(f"ALTER DATABASE {postgres_engine.url.database} SET search_path = public, pg_temp"))
    postgres_engine.dispose()
    with shadowed(postgres_engine, (contact,)) as own, postgres_engine.connect() as db:
        shadow(own, (address,))
        _add(own, "a", now)
        own.commit()
        assert (own.scalar(_COUNT), db.scalar(_COUNT)) == (1, 0)


def _told(each: dict[str, Any]) -> tuple[object, ...]:
    return tuple(each.get(name) for name in ("name", "nullable", "column_names", "unique"))


def _schema(db: sa.Connection) -> str:
    return str(db.scalar(sa.text("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()")))
