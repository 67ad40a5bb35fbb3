"""Importing contacts: stream the file, write whole batches, keep what is wrong beside the file."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from time import monotonic
from typing import Self

import sqlalchemy as sa

from vinculo.consent import Hasher
from vinculo.contacts.importing.batch import TABLES, Batch, Way
from vinculo.contacts.importing.file.errorfile import ErrorFile, forget, remember
from vinculo.contacts.importing.file.sheet import ERROR_COLUMNS, Sheet
from vinculo.contacts.importing.reading import Task, batches
from vinculo.contacts.importing.rehearsing import rehearsal
from vinculo.contacts.importing.row.columns import assign, require_identity
from vinculo.contacts.importing.row.reader import Reader
from vinculo.contacts.importing.writing.laying import Drawn, draw, spell
from vinculo.contacts.importing.writing.tally import Written
from vinculo.db import image
from vinculo.db.bulk import Intake
from vinculo.db.note import keep_note, noted
from vinculo.hashing import Hashing
from vinculo.model import NOTHING

BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Options:
    """How to import. *mapping*: column to place; *country*, *zone*, *currency*: the company's; empty *topics* or
    *channels*: any. *progress* is told the bytes read so far.
    """

    mapping: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    dry_run: bool = False
    country: str = ""
    zone: str = ""
    currency: str = ""
    topics: Collection[str] = ()
    channels: Collection[str] = ()
    progress: Callable[[int], None] = lambda _: None
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or with a dry run would do. *refused*: yeses not taken over for a no of contact or address.
    *left*: contacts whose no stands in a wrong row, and counts all the same. *erased_before*: the lines of rows that
    were taken and have an address of somebody who was erased. *thousands*: of each trait the first amount that could
    mean two numbers, and which it was taken for.
    """

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
    left: int
    erased_before: tuple[int, ...]
    thousands: Mapping[str, Mapping[str, int]]


def import_file(engine: sa.Engine, path: Path, *, signer: Hasher, now: datetime, options: Options) -> Imported:
    """Import the contacts in *path*. Each batch is one transaction: an interrupted import leaves whole batches, and
    running it again completes it.

    Raises `UsageError` for a file that cannot be read at all; single wrong rows go to `FILE.errors.csv`.
    """
    with Sheet(path) as sheet, ErrorFile(path, sheet.columns, sheet.delimiter) as errors:
        places = assign(sheet.columns, _mapping(engine, sheet.columns, options), options.topics, options.channels)
        if not sheet.is_json:  # later rows of JSON may bring other columns
            require_identity(places, path)
        reader, source = Reader(places, now, options.country, options.zone, options.currency), _source(path)
        rows, written, thousands = 0, Written(), NOTHING
        errors.begin()
        remember(engine, errors.path)
        with (
            _unswept(),
            batches(Task(path, reader, source, options.batch, _draws(engine, signer.hashing, options))) as each,
            _writing(engine, Way(reader, signer, now, source), each, dry_run=options.dry_run) as (read, write, end),
        ):
            for batch in read:
                for wrong in batch.wrong:
                    errors.add(*wrong)
                rows, thousands = rows + len(batch), batch.thousands
                written += write(batch)
                options.progress(batch.position)
                gc.collect(0)  # few: rows are in no circles, SQLAlchemy's statements are, with all that they asked for
            written += end()
        if not errors.count:
            forget(engine, errors.path)
        return Imported(
            file=str(path),
            read_as=sheet.describe(),
            places=places,
            rows=rows + errors.count,
            created=written.created,
            updated=written.updated,
            repeated=rows - written.created - written.updated,
            refused=written.refused,
            failed=errors.count,
            errors_file=str(errors.path) if errors.count else "",
            dry_run=options.dry_run,
            left=written.left,
            erased_before=written.erased_before,
            thousands=thousands,
        )


def _source(path: Path) -> str:
    """Where contacts come from that do not say it. A name in another encoding than the system's is no text."""
    return f"import {path.name.encode(errors='replace').decode()}"


def _draws(engine: sa.Engine, signer: Hashing, options: Options) -> Callable[..., Drawn | None] | None:
    if options.dry_run:
        return None  # an image is for the tables that are there, not for copies of them
    if engine.dialect.name == "postgresql":
        return partial(spell, signer)
    return partial(draw, signer) if image.possible() else None


@contextmanager
def _writing(
    engine: sa.Engine, way: Way, read: Iterator[Batch], *, dry_run: bool
) -> Iterator[tuple[Iterator[Batch], Callable[[Batch], Written], Callable[[], Written]]]:
    """The batches that are *read*, what writes one, and what ends them all. A dry run of several needs copies of the
    tables, and sees nobody leave.
    """
    first = list(islice(read, 2 if dry_run else 0))
    if len(first) > 1:
        with rehearsal(engine, way) as write:
            yield chain(first, read), write, Written
    else:
        with Intake(engine, TABLES, _CACHE) as intake, _Writer(intake, way, dry_run=dry_run) as writer:
            yield chain(first, read), writer.write, writer.end


#: What SQLite may keep of its indexes in memory, in KiB; with its own 2 MB it reads them again and again. Twice as much
#: gains a microsecond or two a row, and is filled by large files alone: memory would grow with the file.
_CACHE = 32_768


class _Writer:
    """Writes batches, whole. On SQLite several are one transaction."""

    #: What is written in so many seconds is one transaction on SQLite: each writes most pages of the indexes anew,
    #: however few its rows are. By the clock, for whoever else writes waits so long, on a slow machine too.
    #: On PostgreSQL a batch is one: two imports at once take the contacts of one batch in the same order, not of two.
    _TOGETHER = 1.0

    def __init__(self, intake: Intake, way: Way, *, dry_run: bool) -> None:
        self._intake, self._way, self._dry_run = intake, way, dry_run
        self._together = self._TOGETHER if intake.db.dialect.name == "sqlite" else 0.0
        self._begun: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._commit()

    def write(self, batch: Batch) -> Written:
        """Write *batch*. An error takes back what has not been committed."""
        if self._begun is None:
            self._intake.begin()
            self._begun = monotonic()
        try:
            written = self._way.write(self._intake.db, batch)
        except BaseException:
            self._begun = None
            self._intake.db.rollback()
            raise
        if monotonic() - self._begun >= self._together:
            self._commit()
        return written

    def end(self) -> Written:
        """Commit what is written. On PostgreSQL, where others write as well, what they said meanwhile is heeded."""
        self._commit()
        if self._dry_run or self._together:
            return Written()
        self._intake.begin()
        written = self._way.end(self._intake.db)
        self._intake.commit()
        return written

    def _commit(self) -> None:
        if self._begun is not None:
            self._begun = None
            self._intake.db.rollback() if self._dry_run else self._intake.commit()


@contextmanager
def _unswept() -> Iterator[None]:
    """Rows point at nothing that points at them: to look for circles in them is a third of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


# ── the remembered mapping ───────────────────────────────────────────────────────────────────────────────────────
def _mapping(engine: sa.Engine, columns: Sequence[str], options: Options) -> Mapping[str, str]:
    """Return what the person says now, or said the last time for a file with the same columns, as its errors have."""
    own = columns[3:] if tuple(columns[:3]) == ERROR_COLUMNS else columns
    name = "import " + hashlib.sha256("\n".join(sorted(own)).encode()).hexdigest()[:32]
    if not options.mapping:
        with engine.connect().execution_options(read_only=True) as db:
            remembered = noted(db, name)
        return dict(json.loads(remembered)) if remembered else {}
    assign(columns, options.mapping, options.topics, options.channels)
    if not options.dry_run:
        with engine.begin() as db:
            keep_note(db, name, json.dumps(dict(options.mapping)))
    return options.mapping
