"""A `.sql` segment in a query: its parameters bound, its time limited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import micros
from vinculo.errors import UsageError
from vinculo.model import Moment
from vinculo.segment.read.query import Token, query_problems, tokens_of


def members(sql: str, moment: Moment) -> sa.TextualSelect:
    """Return *sql* as a subquery with its parameters bound. Raises `UsageError` when it is more than one SELECT."""
    wrong = query_problems(sql)
    if wrong:
        line, column, message, remedy = wrong[0]
        told = f"The SQL of a segment, line {line}, column {column}: {message}"
        raise UsageError(told, remedy, phrase="segment_sql", line=line, column=column)
    tokens = list(tokens_of(sql))
    used = {token.text[1:] for token in tokens if token.kind == "parameter"}
    values: dict[str, sa.BindParameter[Any]] = {
        "now": sa.bindparam("now", micros(moment.now), sa.BigInteger, unique=True),
        "day": sa.bindparam("day", 86_400_000_000, sa.BigInteger, unique=True),
        "hour": sa.bindparam("hour", 3_600_000_000, sa.BigInteger, unique=True),
        "today": sa.bindparam("today", moment.today, sa.Date, unique=True),
    }
    text = "".join(_bindable(token) for token in tokens).strip("; ")
    bound = sa.text(text).bindparams(*(values[name] for name in sorted(used)))
    return bound.columns(sa.column("contact_id", sa.BigInteger))


def _bindable(token: Token) -> str:
    """SQLAlchemy takes `:word` for a parameter also within quotes: there it is escaped. Comments are left out."""
    if token.kind == "space":
        return " "
    return token.text.replace("\\", "\\\\").replace(":", "\\:") if token.kind in {"string", "quoted"} else token.text


@contextmanager
def limits(
    db: sa.Connection, seconds: float, *, read_only: bool = True, stop: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Within the block, *db* stops a query after *seconds*; with *read_only* it also refuses to write.

    Raises `UsageError` when the time is over. Use it around whatever runs a `.sql` segment. SQLite ends a query also
    when *stop* says so: what that means is the caller's, as in `db.transaction.given_up`.
    """
    until = monotonic() + seconds
    limit = partial(_sqlite_limits, stop=stop) if db.dialect.name == "sqlite" else _postgresql_limits
    try:
        with limit(db, seconds, read_only):
            yield
    except sa.exc.OperationalError as error:
        if ("interrupted" in str(error.orig) and monotonic() > until) or "statement timeout" in str(error.orig):
            told, remedy = f"{seconds:g}", "Make it simpler, or raise limits.sql_seconds."
            raise UsageError(
                f"The segment took longer than {told} s", remedy, phrase="segment_slow", seconds=told
            ) from None
        raise


@contextmanager
def _sqlite_limits(
    db: sa.Connection, seconds: float, read_only: bool, *, stop: Callable[[], bool],  # noqa: FBT001
) -> Iterator[None]:  # fmt: skip
    driver: Any = db.connection.driver_connection
    until = monotonic() + timedelta(seconds=seconds).total_seconds()
    driver.set_progress_handler(lambda: int(monotonic() > until or stop()), 10_000)
    driver.execute(f"PRAGMA query_only={'ON' if read_only else 'OFF'}")
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
        driver.execute("PRAGMA query_only=OFF")


@contextmanager
def _postgresql_limits(db: sa.Connection, seconds: float, read_only: bool) -> Iterator[None]:  # noqa: FBT001
    if read_only:
        db.execute(sa.text("SET TRANSACTION READ ONLY"))
    db.execute(sa.select(sa.func.set_config("statement_timeout", str(int(seconds * 1000)), True)))
    yield
    if not read_only:
        db.execute(sa.select(sa.func.set_config("statement_timeout", "0", True)))
