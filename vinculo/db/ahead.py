"""A second connection that works questions out ahead of the one that writes their answers: two cores on SQLite.

While a transaction writes nobody else does, so a connection that only reads sees the very state that the transaction
began with. What it finds waits in files that have no name from before they are written: nothing of a person stays
behind, whatever becomes of the process.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from vinculo.db.statement import direct

#: SQLite attaches ten databases to a connection, and ours has none otherwise.
FILES = 10
#: What each of both keeps of a file in memory: it is written, and read, once and in order.
PAGES = 32
#: Under which names a connection keeps the changes it had seen when its transaction began, and what it has attached.
SEEN, ATTACHED = "seen", "attached"
#: A question that is put together when it is its turn.
Part = Callable[[], sa.Select[Any]]
Parts = Callable[[sa.Table], Sequence[Part]]
Answers = Generator[sa.Select[Any], None, None]


def possible(db: sa.Connection) -> bool:
    """Whether a second connection would see what *db*'s transaction sees: a file, and nothing is written so far.

    Without a write-ahead log (a file system that can have none) it would keep the first from writing.
    """
    path = db.engine.url.database or ":memory:"
    if db.dialect.name != "sqlite" or path.startswith((":memory:", "file:")):
        return False
    driver: Any = db.connection.driver_connection
    roomy = driver.getlimit(sqlite3.SQLITE_LIMIT_ATTACHED) >= FILES
    logged = direct(db, "PRAGMA journal_mode") == [("wal",)]
    return bool(roomy and logged and db.info.get(SEEN) == driver.total_changes)


def begin(db: sa.Connection) -> None:
    """Note where a transaction of SQLite's starts from; before it, let go of what the last one had attached."""
    _let_go(db)
    driver: Any = db.connection.dbapi_connection
    db.info[SEEN] = driver.total_changes


def _let_go(db: sa.Connection) -> None:
    for name in db.info.pop(ATTACHED, ()):
        direct(db, f"DETACH {name}")


def divided(db: sa.Connection, first: sa.Select[Any], parts: Parts) -> Answers:
    """Yield questions that have in all the rows of *parts*, which is given a table of the answers of *first*.

    Each is to be used up, in *db*'s transaction, before the next is asked for: meanwhile the second connection works
    on those to come. Where none of them is ready, the last of those that nobody has begun is yielded as it is. The
    second connection does `FILES` - 1 at most.
    """
    with (
        closing(db.engine.connect().execution_options(read_only=True)) as reader,
        _attached(db, reader) as names,
        ThreadPoolExecutor(1, "ahead") as second,
    ):
        left = deque(parts(_kept(reader, names[0], first)))
        made: SimpleQueue[sa.Table | None] = SimpleQueue()
        work = second.submit(_work, reader, names[1:], left, made)
        try:
            while (answer := _next(left, made)) is not None:
                yield answer
        finally:
            left.clear()
        work.result()


def _work(reader: sa.Connection, names: Sequence[str], left: deque[Part], made: SimpleQueue[sa.Table | None]) -> None:
    try:
        for name in names:
            if (part := _taken(left.popleft)) is not None:
                made.put(_kept(reader, name, part()))
    finally:
        made.put(None)


def _next(left: deque[Part], made: SimpleQueue[sa.Table | None]) -> sa.Select[Any] | None:
    """What is ready; else what nobody has begun; else what comes next."""
    try:
        table = made.get_nowait()
    except Empty:
        if (part := _taken(left.pop)) is not None:
            return part()
        table = made.get()
    if table is not None:
        return sa.select(table)
    made.put(None)  # the second connection has ended; what it had no file for is left
    part = _taken(left.pop)
    return part and part()


def _taken(take: Callable[[], Part]) -> Part | None:
    try:
        return take()
    except IndexError:  # the other has taken the last
        return None


def _kept(reader: sa.Connection, name: str, question: sa.Select[Any]) -> sa.Table:
    """The answers of *question* as a table of the file *name*."""
    columns = (sa.Column(each.name, each.type) for each in question.selected_columns)
    table = sa.Table("answer", sa.MetaData(), *columns, schema=name)
    with reader.begin():
        reader.execute(CreateTable(table))
        reader.execute(sa.insert(table).from_select(list(table.c.keys()), question))
    return table


@contextmanager
def _attached(db: sa.Connection, reader: sa.Connection) -> Iterator[list[str]]:
    """Files of both connections, where the database is, and not a link to it: there is room for its journal, too."""
    folder = Path(db.engine.url.database or "").resolve().parent
    names, files = [f"ahead{number}" for number in range(FILES)], []
    held = db.info.setdefault(ATTACHED, [])  # until its transaction ends, see `begin`
    _let_go(reader)  # it may have been the one that writes
    reader.detach()  # from the pool: nobody else gets it
    try:
        for name in names:
            file, path = tempfile.mkstemp(prefix=".ahead-", dir=folder)
            files.append(file)
            try:
                direct(db, f"ATTACH ? AS {name}", (path,))
                held.append(name)
                direct(reader, f"ATTACH ? AS {name}", (path,))
            finally:
                Path(path).unlink()
            for each in (db, reader):
                direct(each, f"PRAGMA {name}.cache_size = {PAGES}")
            for setting in ("journal_mode = OFF", "synchronous = OFF"):
                direct(reader, f"PRAGMA {name}.{setting}")
        yield names
    finally:
        for file in files:
            os.ftruncate(file, 0)
            os.close(file)
