"""Importing contacts: stream the file, write whole batches, keep what is wrong beside the file."""

from __future__ import annotations

import gc
import hashlib
import json
import sys
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from vinculo.consent import Hasher
from vinculo.contacts.batch import Batch, Way
from vinculo.contacts.columns import assign, require_identity
from vinculo.contacts.draft import Draft, Reader, RowError
from vinculo.contacts.errorfile import ErrorFile, remember
from vinculo.contacts.sheet import BadRow, Chunk, Row, Sheet
from vinculo.contacts.wholesale import Wholesale
from vinculo.contacts.writing import Written
from vinculo.db.tables import note
from vinculo.model import NOTHING

BATCH = 10_000
#: So many rows are read at a time: as many as the processor's cache holds.
_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Options:
    """How to import. *mapping*: column to place; *country* and *zone*: the company's; empty *topics* or *channels*:
    any. *progress* is told the bytes read so far.
    """

    mapping: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    dry_run: bool = False
    country: str = ""
    zone: str = ""
    topics: Collection[str] = ()
    channels: Collection[str] = ()
    progress: Callable[[int], None] = lambda _: None
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or with a dry run would do. *refused*: yeses not taken over from contacts who had left."""

    file: str
    read_as: str
    places: Mapping[str, str]
    rows: int
    created: int
    updated: int
    repeated: int
    failed: int
    refused: int
    errors_file: str
    dry_run: bool


def import_file(engine: sa.Engine, path: Path, *, signer: Hasher, now: datetime, options: Options) -> Imported:
    """Import the contacts in *path*. Each batch is one transaction: an interrupted import leaves whole batches, and
    running it again completes it.

    Raises `UsageError` for a file that cannot be read at all; single wrong rows go to `FILE.errors.csv`.
    """
    with Sheet(path) as sheet, ErrorFile(path, sheet.columns) as errors:
        places = assign(sheet.columns, _mapping(engine, sheet.columns, options), options.topics, options.channels)
        if not sheet.is_json:  # later rows of JSON may bring other columns
            require_identity(places, path)
        way = Way(Reader(places, now, options.country, options.zone), signer, now, f"import {path.name}")
        count = _Count()
        with _Writer(engine, way, options) as writer:
            for batch in _batches(sheet, way, errors, options.batch):
                count.read(batch)
                writer.take(batch, partial(_told, count, options.progress, sheet.position))
        if errors.count:
            remember(engine, errors.path)
        return Imported(
            file=str(path),
            read_as=sheet.describe(),
            places=places,
            rows=count.rows + errors.count,
            created=count.written.created,
            updated=count.updated,
            repeated=count.rows - count.contacts,
            refused=count.written.refused,
            failed=errors.count,
            errors_file=str(errors.path) if errors.count else "",
            dry_run=options.dry_run,
        )


class _Count:
    """What has been read and written so far. Of each name 8 bytes are remembered, however many rows there are."""

    def __init__(self) -> None:
        self.rows, self.written = 0, Written()
        self._names = array("q")

    def read(self, batch: Batch) -> None:
        """Count the rows of *batch*."""
        self.rows += len(batch)
        self._names.extend(map(hash, batch.names()))

    @cached_property
    def contacts(self) -> int:
        """How many contacts the file has named, each once."""
        if self.written.created == self.rows:
            return self.rows
        parts = len(self._names) // _COUNTED + 1
        return sum(len({name for name in self._names if name % parts == part}) for part in range(parts))

    @property
    def updated(self) -> int:
        """How many were there before the file: what an earlier batch of it made is not an update."""
        return max(0, min(self.written.updated, self.contacts - self.written.created))


#: So many names are compared at a time.
_COUNTED = 200_000


def _told(count: _Count, progress: Callable[[int], None], position: int, written: Written) -> None:
    count.written += written
    progress(position)


def _batches(sheet: Sheet, way: Way, errors: ErrorFile, size: int) -> Iterator[Batch]:
    batch, sale = Batch(), Wholesale(way.reader, way.source)
    for each in sheet.chunks(min(size, _CHUNK)) if sale.able else sheet.rows():
        rows: Iterable[Row | BadRow] = [each] if not isinstance(each, Chunk) else []
        if isinstance(each, Chunk):
            lot, rows = sale.read(each)
            batch.lots.append(lot)
        for row in rows:
            draft = _draft(row, way.reader, errors)
            if draft:
                batch.drafts.append(draft)
        if len(batch) >= size:
            yield batch
            batch = Batch()
    if len(batch):
        yield batch


def _draft(row: Row | BadRow, reader: Reader, errors: ErrorFile) -> Draft | None:
    if isinstance(row, BadRow):
        errors.add(row.line, row.value, row.reason, {})
        return None
    try:
        return reader.draft(row)
    except RowError as error:
        errors.add(row.line, error.value, error.reason, row)
        return None


class _Writer:
    """Writes one batch in a thread of its own while the next is read: the database works, and waits for no Python."""

    #: How long a thread may keep the other from going on, in seconds; Python's own 5 ms would be half of the time.
    _TURN = 0.0005
    #: What SQLite may keep of its indexes in memory, in KiB; with its own 2 MB it reads them again and again.
    _CACHE = 65_536
    #: So many rows are one transaction on SQLite: each writes most pages of the indexes anew, however few its rows are.
    #: On PostgreSQL a batch is one: two imports at once take the contacts of one batch in the same order, not of two.
    _TOGETHER = 30_000

    def __init__(self, engine: sa.Engine, way: Way, options: Options) -> None:
        self._engine, self._way, self._options = engine, way, options
        self._thread = ThreadPoolExecutor(1, "import")
        self._going: Future[Written] | None = None
        self._transaction, self._rows = ExitStack(), 0
        self._together = self._TOGETHER if engine.dialect.name == "sqlite" else 1
        self._db: sa.Connection | None = None
        self._tell: Callable[[Written], None] = lambda _: None
        self._before = sys.getswitchinterval(), gc.isenabled()

    def __enter__(self) -> Self:
        sys.setswitchinterval(self._TURN)
        gc.disable()  # drafts point at nothing that points at them: to look for circles in them is a third of the time
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._wait()
            self._thread.submit(self._commit).result()
        finally:
            self._thread.submit(self._transaction.__exit__, kind, error, at).result()
            self._thread.shutdown()
            turn, collects = self._before
            sys.setswitchinterval(turn)
            if collects:
                gc.enable()

    def take(self, batch: Batch, tell: Callable[[Written], None]) -> None:
        """Begin to write *batch* when the one before is written; *tell* will be told. Raises what that one raised."""
        self._wait()
        self._tell, self._going = tell, self._thread.submit(self._write, batch)

    def _wait(self) -> None:
        going, self._going = self._going, None
        if going is not None:
            self._tell(going.result())

    def _write(self, batch: Batch) -> Written:
        if self._db is None:
            self._db = self._transaction.enter_context(_begun(self._engine, self._CACHE))
        try:
            written = self._way.write(self._db, batch)
        except BaseException:
            self._db.rollback()
            raise
        self._rows += len(batch)
        if self._rows >= self._together:
            self._commit()
        return written

    def _commit(self) -> None:
        if self._db is not None:
            self._db.rollback() if self._options.dry_run else self._db.commit()
            self._transaction.close()
            self._db, self._rows = None, 0


@contextmanager
def _begun(engine: sa.Engine, cache: int) -> Iterator[sa.Connection]:
    """A connection, on SQLite with room for *cache* KiB of pages."""
    with engine.connect() as db:
        if engine.dialect.name != "sqlite":
            yield db
            return
        before = db.exec_driver_sql("PRAGMA cache_size").scalar()
        db.exec_driver_sql(f"PRAGMA cache_size = -{cache}")
        try:
            yield db
        finally:
            db.exec_driver_sql(f"PRAGMA cache_size = {before}")


# ── the remembered mapping ───────────────────────────────────────────────────────────────────────────────────────
def _mapping(engine: sa.Engine, columns: Sequence[str], options: Options) -> Mapping[str, str]:
    """Return what the person says now, or said the last time for a file with the same columns."""
    name = "import " + hashlib.sha256("\n".join(sorted(columns)).encode()).hexdigest()[:32]
    if not options.mapping:
        with engine.connect().execution_options(read_only=True) as db:
            remembered = db.scalar(sa.select(note.c.value).where(note.c.name == name))
        return dict(json.loads(remembered)) if remembered else {}
    assign(columns, options.mapping, options.topics, options.channels)
    if not options.dry_run:
        with engine.begin() as db:
            dialect: Any = sqlite if db.dialect.name == "sqlite" else postgresql
            insert = dialect.insert(note).values(name=name, value=json.dumps(dict(options.mapping)))
            db.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"value": insert.excluded.value}))
    return options.mapping
