"""A second connection that works questions out ahead of the one that writes their answers: two cores on SQLite.

While a transaction writes nobody else does, so a connection that only reads sees the very state that the transaction
began with. What it finds waits in files that have no name from before they are written: nothing of a person stays
behind, whatever becomes of the process. Either keeps little of them in memory, and each question is compiled once.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from vinculo.db.statement import direct

#: SQLite attaches ten databases to a connection, and ours has none otherwise.
FILES = 10
#: How a table is called whose file has the number that a connection says at that moment.
_SOME = "ahead"
#: Pages that either keeps of a file: it is written, and read, once and in order. And of the database, who reads ahead.
_PAGES, _READ = 8, 100
#: Bytes above which SQLite gives up a page that it keeps instead of taking memory for another, while two work.
_ENOUGH = 10_000_000
#: What the first takes at once of what is left, as a share of all: it waits for nothing else meanwhile.
_LITTLE = 32
#: Under which names a connection keeps the changes it had seen when its transaction began, and what it has attached.
_SEEN, _ATTACHED = "seen", "attached"
#: A question about the numbers from the first to below the second, about the answers of another question, or about all.
Ends = tuple[sa.BindParameter[int], sa.BindParameter[int]]
Ask = Callable[[sa.Table | None, Ends | None], sa.Select[Any]]
Answers = Generator[sa.Select[Any], None, None]


def possible(db: sa.Connection) -> bool:
    """Whether a second connection would see what *db*'s transaction sees: a file, and nothing is written so far.

    Without a write-ahead log (a file system that can have none, memory) it would keep the first from writing.
    """
    if db.dialect.name != "sqlite" or direct(db, "PRAGMA journal_mode") != [("wal",)]:
        return False
    driver: Any = db.connection.driver_connection
    return bool(db.info.get(_SEEN) == driver.total_changes)


def begin(db: sa.Connection) -> None:
    """Note where a transaction of SQLite's starts from; before it, let go of what the last one had attached."""
    _let_go(db)
    driver: Any = db.connection.dbapi_connection
    db.info[_SEEN] = driver.total_changes


def _let_go(db: sa.Connection) -> None:
    for name in db.info.pop(_ATTACHED, ()):
        direct(db, f"DETACH {name}")


@dataclass
class _Left:
    """The numbers from *low* to below *high* that nobody has taken."""

    low: int
    high: int
    _lock: Lock = field(default_factory=Lock)

    def __bool__(self) -> bool:
        return self.low < self.high

    def take(self, numbers: list[int], *, share: float = 0, count: int = 1) -> bool:
        """Make the first of them *numbers*, *share* of what is left or *count*; False: none is left."""
        with self._lock:
            end = min(self.high, self.low + max(int((self.high - self.low) * share), count))
            numbers[:] = self.low, end
            self.low = end
        return numbers[0] < numbers[1]


def divided(db: sa.Connection, first: sa.Select[Any], span: tuple[int, int], ask: Ask) -> Answers:
    """Yield questions that have in all the rows of *ask*: for the answers of *first*, and for all numbers of *span*.

    Each is to be used up, in *db*'s transaction, before the next is asked for: meanwhile the second connection works
    on those to come, ever smaller ones. Where none of them is ready, a little is yielded as it is; where no second
    connection can be had, one question for all.
    """
    with ExitStack() as stack:
        try:
            reader, (own, *names) = stack.enter_context(_second(db))
        except (OSError, sa.exc.DBAPIError):  # a folder that takes no files, too many files that are open
            yield ask(None, None)
            return
        second = stack.enter_context(ThreadPoolExecutor(1, "ahead"))
        known = _table(first, own)
        _keep(reader, own, known, first)
        left, little, ours, theirs = _Left(*span), (span[1] - span[0]) // _LITTLE + 1, [0, 0], [0, 0]
        rest, our_question, their_question = ask(known, None), ask(known, _ends(ours)), ask(known, _ends(theirs))
        answer = _table(rest, _SOME)

        def work(name: str, share: float) -> bool:
            taken = left.take(theirs, share=share)
            if taken:
                _keep(reader, name, answer, their_question)
            return taken

        made = deque((name, second.submit(work, name, max(1 / 4, 2 / (FILES - n + 1)))) for n, name in enumerate(names))
        try:
            yield rest
            while made or left:
                if made and (made[0][1].done() or not left):
                    name, done = made.popleft()
                    if done.result():
                        _at(db, name)
                        yield sa.select(answer)
                elif left.take(ours, count=little):
                    yield our_question
        finally:
            _leave(left, reader)


def _leave(left: _Left, reader: sa.Connection) -> None:
    """Let nobody begin anything more, and the second connection end what it has begun, if nobody has waited for it."""
    left.take([0, 0], share=1)
    driver: Any = reader.connection.driver_connection
    driver.interrupt()


def _ends(numbers: list[int]) -> Ends:
    """Parameters that are *numbers* whenever a question is run: it is built, and compiled, once for all parts."""
    low = sa.bindparam("low", callable_=lambda: numbers[0], type_=sa.BigInteger)
    return low, sa.bindparam("high", callable_=lambda: numbers[1], type_=sa.BigInteger)


def _table(question: sa.Select[Any], place: str) -> sa.Table:
    """For the answers of *question*, which are numbers or begin with them."""
    number, *others = ((each.name, each.type) for each in question.selected_columns)
    columns = sa.Column(*number, primary_key=True), *(sa.Column(*each) for each in others)
    return sa.Table("answer", sa.MetaData(), *columns, schema=place)


def _keep(reader: sa.Connection, name: str, table: sa.Table, question: sa.Select[Any]) -> None:
    _at(reader, name)
    reader.execute(CreateTable(table))
    reader.execute(sa.insert(table).from_select(list(table.c.keys()), question))


def _at(db: sa.Connection, name: str) -> None:
    """Have `_SOME` be the file *name*: the same question for each, which SQLAlchemy compiles once."""
    db.execution_options(schema_translate_map={_SOME: name} if name else None)


class _Thrift:
    """How much SQLite keeps is the process's: the first that is at work lessens it, the last puts it back."""

    def __init__(self) -> None:
        self._lock, self._at_work, self._before = Lock(), 0, 0

    @contextmanager
    def kept(self, db: sa.Connection) -> Iterator[None]:
        """Within the block SQLite keeps little; *db* is any connection."""
        with self._lock:
            if not self._at_work:
                ((self._before,),) = direct(db, "PRAGMA soft_heap_limit")
                direct(db, f"PRAGMA soft_heap_limit = {_ENOUGH}")
            self._at_work += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work -= 1
                if not self._at_work:
                    direct(db, f"PRAGMA soft_heap_limit = {self._before}")


_thrift = _Thrift()


@contextmanager
def _second(db: sa.Connection) -> Iterator[tuple[sa.Connection, list[str]]]:
    """Another connection, and files of both where the database is.

    Not of the engine's pool: what waits for us to end may have taken all of it.
    """
    path: str = direct(db, "PRAGMA database_list")[0][2]
    opened = partial(sqlite3.connect, path, isolation_level=None, check_same_thread=False)
    engine = sa.create_engine("sqlite://", creator=opened, poolclass=sa.NullPool, hide_parameters=True)
    names, files = [f"ahead{number}" for number in range(FILES)], []
    held = db.info.setdefault(_ATTACHED, [])  # until its transaction ends, see `begin`
    with engine.connect() as reader, _thrift.kept(reader):
        direct(reader, f"PRAGMA main.cache_size = {_READ}")
        try:
            for name in names:
                file, place = tempfile.mkstemp(prefix=".ahead-", dir=Path(path).resolve().parent)
                files.append(file)
                try:
                    direct(db, f"ATTACH ? AS {name}", (place,))
                    held.append(name)
                    direct(reader, f"ATTACH ? AS {name}", (place,))
                finally:
                    Path(place).unlink()
                for each in (db, reader):
                    direct(each, f"PRAGMA {name}.cache_size = {_PAGES}")
                for setting in ("journal_mode = OFF", "synchronous = OFF"):
                    direct(reader, f"PRAGMA {name}.{setting}")
            yield reader, names
        finally:
            _at(db, "")
            for file in files:
                os.ftruncate(file, 0)
                os.close(file)
