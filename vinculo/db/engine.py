"""One engine per database: SQLite in WAL mode, or PostgreSQL through psycopg 3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vinculo.db import ahead, migration
from vinculo.db.failure import not_ready
from vinculo.db.statement import direct
from vinculo.errors import NotReady, UsageError

#: How long a writer waits for another before "database is locked", in seconds.
BUSY_TIMEOUT = 30


def connect(url: str, *, durability: str = "full") -> sa.Engine:
    """Open the database at *url* (`sqlite:///vinculo.db`, `postgresql://user@host/name`).

    *durability* `full` survives a power cut, `process` only a killed process (SQLite's synchronous=NORMAL).
    Its errors never show a statement's values: they end in logs, and values are what we hold of contacts.
    Raises `UsageError` for a URL of another kind.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        # Not shown: a slip in a URL leaves its password where it is.
        raise UsageError("database.url is no database URL", "Write for example `sqlite:///vinculo.db`.") from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, durability)
    if parsed.get_backend_name() == "postgresql":
        server = parsed.set(drivername="postgresql+psycopg")
        return sa.create_engine(server, pool_pre_ping=True, hide_parameters=True)
    raise UsageError(
        f"`{parsed.get_backend_name()}` is not a database Vinculo knows", "Use `sqlite:///…` or `postgresql://…`."
    )


def _json(value: Any) -> str:
    """Write JSON with its letters as they are: SQLite looks a key up by its bytes, and finds no escaped one."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _sqlite(url: sa.URL, durability: str) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_TIMEOUT}, hide_parameters=True, json_serializer=_json)

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:  # noqa: ARG001 - SQLAlchemy's signature
        connection.isolation_level = None  # the driver would begin transactions late and by itself
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if durability == 'full' else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys=ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        # A transaction that reads first and writes later would fail at once, in spite of the timeout, when another
        # has written in between; taking the write lock at the start waits instead.
        driver: Any = connection.connection.dbapi_connection
        if driver.in_transaction:
            return  # `Transactions` has begun it
        ahead.begin(connection)
        read_only = connection.get_execution_options().get("read_only")
        direct(connection, "BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def require(engine: sa.Engine) -> None:
    """Raise `NotReady` unless the database is there and has our tables, of this version."""
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path and path != ":memory:" and not Path(path).exists():
        raise NotReady(f"There is no database at {path}", "Run `vinculo db upgrade` to make it.")
    try:
        with engine.connect().execution_options(read_only=True) as db:
            there = sa.inspect(db).has_table("delivery")
            revision = migration.current(db)
    except sa.exc.DBAPIError as error:
        raise not_ready(error) from None
    if not there:
        raise NotReady("The database has no tables of Vinculo", "Run `vinculo db upgrade`.")
    migration.check_known(revision)
    if revision and revision < migration.HEAD:  # none: made of db/tables itself, as tests do
        saved = "Run `vinculo db upgrade --backup`." if migration.file_of(engine) else migration.SAVE_FIRST
        raise NotReady(f"The database has revision {revision}, not {migration.HEAD}", saved)
