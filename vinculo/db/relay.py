"""A second connection that works rows out while the first one writes them: two cores on PostgreSQL.

It sees what the first one's transaction sees, which lends it its snapshot, but for what that has written itself. What
it finds goes into the first one's COPY as it came, in the server's own form: nobody here reads it. It only reads, and
waits for nobody who may wait for the first one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from itertools import pairwise
from queue import SimpleQueue
from threading import Semaphore, Thread
from time import monotonic
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from vinculo.db import bulk
from vinculo.db.tables import metadata

#: Into how many parts all numbers are cut: while one is written, the next is worked out.
_PARTS = 16
#: Seconds after which we go on with one connection (a pooler may have none to give until we end), and after which the
#: second one gives up a lock: the server does not see that whoever holds it may wait for us.
_PATIENCE = 5
#: Seconds until it has heard that nothing more is wanted of it.
_MOMENT = 0.1
#: Bytes that are given on at once, and how many times so many may wait to be written.
_BLOCK, _BLOCKS = 65_536, 128
#: How long the first one waits for a lock meanwhile: whoever has it may wait for the second one, which waits for us.
_LONG = "60s"
#: Beyond every number: whoever has come since they were looked up is in the first part or the last.
_LAST = 2**63 - 1
#: Keeps everybody from changing a table.
_READ = f"LOCK TABLE {', '.join(metadata.tables)} IN ACCESS SHARE MODE"
#: A question about the numbers from the first to below the second, about the answers of another question, or about all.
Ends = tuple[sa.BindParameter[int], sa.BindParameter[int]]
Ask = Callable[[sa.FromClause | None, Ends | None], sa.Select[Any]]
_LOW, _HIGH = (sa.bindparam(name, type_=sa.BigInteger) for name in ("low", "high"))
_KNOWN = sa.bindparam("known", type_=postgresql.ARRAY(sa.BigInteger))


def possible(db: sa.Connection) -> bool:
    """Whether a second connection can see what *db*'s transaction sees: nothing is written so far."""
    if db.dialect.name != "postgresql" or db.in_nested_transaction():  # within a savepoint no snapshot can be lent
        return False
    return db.scalar(sa.select(sa.func.pg_current_xact_id_if_assigned().is_(None))) is True


class Rows:
    """The rows of one part, which the second connection works out."""

    def __init__(self, table: str, columns: list[str], take: Callable[[], bytearray]) -> None:
        self._table, self._columns, self._take = table, columns, take

    def enter(self, db: sa.Connection) -> int:
        """Write them as they are found; return how many there are."""
        with bulk.copying(db, self._table, self._columns, "BINARY") as copy:
            while block := self._take():
                copy.write(block)
        return int(copy.cursor.rowcount)


def divided(
    db: sa.Connection, table: sa.Table, first: sa.Select[Any], span: tuple[int, int], ask: Ask,
    made: Callable[[sa.Select[Any]], sa.Select[Any]],
) -> Generator[sa.Select[Any] | Rows, None, None]:  # fmt: skip
    """Yield parts that have in all the rows of *ask*: for all numbers of *span*, and for the answers of *first*.

    Each is to be entered before the next is asked for; *made* makes rows of *table*, by its columns' names, of what is
    asked. Where no second connection can be had, one question for all is yielded, and that is not made yet.
    """
    known = sa.func.unnest(_KNOWN).table_valued(sa.column(*_named(first)), name="known").render_derived()
    rows = [_typed(made(ask(known, ends)), table) for ends in ((_LOW, _HIGH), None)]
    reader = _Reader(db, table, span, *(_Question(each, db.dialect) for each in (first, *rows)))
    try:
        if not reader.begins():
            yield ask(None, None)
            return
        for _ in range(_PARTS + 1):
            yield Rows(table.name, list(rows[0].selected_columns.keys()), reader.take)
    finally:
        reader.stop()


def _named(question: sa.Select[Any]) -> tuple[str, sa.types.TypeEngine[Any]]:
    (column,) = question.selected_columns
    return column.name, column.type


def _typed(rows: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
    """*rows* in the very types of the columns: in this form the server converts nothing."""
    found = rows.subquery("row")
    return sa.select(*(sa.cast(each, table.c[each.name].type).label(each.name) for each in found.c))


class _Question:
    """A question compiled once, whose values the driver writes into its text: COPY has no parameters."""

    def __init__(self, question: sa.Select[Any], dialect: sa.Dialect) -> None:
        self._compiled: Any = question.compile(dialect=dialect)
        self._dialect = dialect

    def __call__(self, **values: Any) -> tuple[str, dict[str, Any]]:
        state = self._compiled.construct_expanded_state(self._compiled.construct_params(values))
        spells = {name: each.type.dialect_impl(self._dialect).bind_processor(self._dialect)
                  for name, each in self._compiled.binds.items()} | dict(state.processors)  # fmt: skip
        given = {name: spell(value) if (spell := spells.get(name)) else value
                 for name, value in state.parameters.items()}  # fmt: skip
        return state.statement, given


class _Reader:
    """The second connection, in a thread of its own, which opens and closes it."""

    def __init__(
        self, db: sa.Connection, table: sa.Table, span: tuple[int, int],
        first: _Question, part: _Question, rest: _Question,
    ) -> None:  # fmt: skip
        self._db, self._table, self._url = db, table, db.engine.url
        self._span, self._first, self._part, self._rest = span, first, part, rest
        self._thread = Thread(target=self._work, name="relay", daemon=True)
        self._begun: Future[None] = Future()
        #: Some of what was found; nothing at the end of a part. And room for more.
        self._found: SimpleQueue[bytearray | Exception] = SimpleQueue()
        self._room = Semaphore(_BLOCKS)
        self._stopped = False
        self._driver: Any = None
        self._lent: Any = None

    def begins(self) -> bool:
        """Whether there is a second connection, which sees what the first does and may read all tables."""
        # The first has them before the second: whoever wants to change one of them waits for the first, too, and is
        # not in its way later. That would be a circle that the server does not see, for the second waits for us here.
        self._db.exec_driver_sql(f"LOCK TABLE {self._table.name} IN ROW EXCLUSIVE MODE")
        self._db.exec_driver_sql(_READ)
        lent = sa.select(
            sa.func.pg_export_snapshot().label("snapshot"),
            sa.func.current_setting("work_mem").label("room"),
            sa.func.set_config("idle_in_transaction_session_timeout", "0", sa.true()),  # we wait for the second
        )
        self._lent = self._db.execute(lent).one()
        self._thread.start()
        try:
            self._begun.result(_PATIENCE)
        except (TimeoutError, self._db.dialect.loaded_dbapi.Error):
            self._stopped = True
            return False
        endless = sa.func.current_setting("lock_timeout") == "0"
        self._db.execute(sa.select(sa.func.set_config("lock_timeout", _LONG, sa.true())).where(endless))
        return True

    def take(self) -> bytearray:
        """Wait for some of the part; nothing: that was all of it."""
        found = self._found.get()
        self._room.release()
        if isinstance(found, Exception):
            raise _as_sqlalchemy_says(self._db, found) from found
        return found

    def stop(self) -> None:
        """Take no more, and see to it that the connection is closed: one that is still to come, when it comes."""
        self._stopped = True
        self._room.release()
        until = monotonic() + _PATIENCE
        while self._begun.done() and monotonic() < until:
            self._thread.join(_MOMENT)
            if not self._thread.is_alive():
                break
            with suppress(self._db.dialect.loaded_dbapi.Error):
                self._driver.cancel_safe(timeout=_PATIENCE)  # again: it may have been between two questions

    # ── in its own thread ────────────────────────────────────────────────────────────────────────────────────────
    def _work(self) -> None:
        try:
            with closing(self._opened()) as self._driver, self._driver.cursor() as cursor:
                self._settle(cursor)
                self._begun.set_result(None)
                if self._stopped:
                    raise _Stopped
                for text, values in self._questions(cursor):
                    self._answer(cursor, text, values)
        except Exception as error:  # noqa: BLE001 - whatever it is, the first connection must not wait for us
            if self._begun.done():
                self._found.put(error)
            else:
                self._begun.set_exception(error)

    def _opened(self) -> Any:
        module, dialect = self._db.dialect.loaded_dbapi, self._db.dialect
        arguments, named = dialect.create_connect_args(self._url)
        named = {"connect_timeout": _PATIENCE, **named, "cursor_factory": module.ClientCursor}
        opened = module.connect(*arguments, **named)
        opened.isolation_level, opened.read_only = module.IsolationLevel.REPEATABLE_READ, True
        return opened

    def _settle(self, cursor: Any) -> None:
        cursor.execute("SET TRANSACTION SNAPSHOT %s", [self._lent.snapshot])
        # Now, or not at all: whoever waits to change a table may wait for the first connection.
        cursor.execute(f"{_READ} NOWAIT")
        settings = {"work_mem": self._lent.room, "lock_timeout": f"{_PATIENCE}s"}
        settings |= dict.fromkeys(("statement_timeout", "idle_in_transaction_session_timeout"), "0")
        for name, value in settings.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])

    def _questions(self, cursor: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        cursor.execute(*self._first())
        known = sorted(number for (number,) in cursor)
        # From here on the first connection is the other that works: with more they would be in each other's way.
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        low, high = self._span
        ends = [-_LAST, *(low + (high - low) * part // _PARTS for part in range(1, _PARTS)), _LAST]
        for start, end in pairwise(ends):
            here = known[bisect_left(known, start) : bisect_left(known, end)]
            yield self._part(low=start, high=end, known=here)
        yield self._rest(known=known)

    def _answer(self, cursor: Any, text: str, values: dict[str, Any]) -> None:
        block = bytearray()
        with cursor.copy(f"COPY ({text}) TO STDOUT (FORMAT BINARY)", values) as copy:
            for row in copy:
                block += row
                if len(block) >= _BLOCK:
                    self._give(block)
                    block = bytearray()
        if block:
            self._give(block)
        self._give(bytearray())

    def _give(self, block: bytearray) -> None:
        self._room.acquire()
        if self._stopped:
            raise _Stopped
        self._found.put(block)


class _Stopped(Exception):
    """Nobody takes any more."""


def _as_sqlalchemy_says(db: sa.Connection, error: Exception) -> Exception:
    kind = db.dialect.loaded_dbapi.Error
    return sa.exc.DBAPIError.instance("COPY TO STDOUT", None, error, kind, hide_parameters=True, dialect=db.dialect)
