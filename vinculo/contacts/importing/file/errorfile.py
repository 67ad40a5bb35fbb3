"""`FILE.errors.csv`: the rows of a file that could not be taken, each with its reason."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import sqlalchemy as sa

from vinculo.contacts.importing.file.sheet import ERROR_COLUMNS, Row, guarded
from vinculo.db.note import keep_note
from vinculo.db.tables import note
from vinculo.errors import UsageError

#: How notes begin of where such files were left: they hold rows of persons, who may be erased.
_NOTE = "errors"
SUFFIX = ".errors.csv"


class ErrorFile:
    """`FILE.errors.csv`: line, value, reason and the row as it was. Mend it there and import that file.

    Made at the first wrong row. It has the *delimiter* of the file: a spreadsheet opens both alike.
    """

    def __init__(self, path: Path, columns: Sequence[str], delimiter: str = ",") -> None:
        self.path = path.with_name(path.name + SUFFIX)
        self._delimiter = delimiter or ","
        self._columns = [name for name in columns if name not in ERROR_COLUMNS]
        self._file: IO[str] | None = None
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file:
            with self._named():
                self._file.close()

    def begin(self) -> None:
        """Remove what an earlier run left, before a row is read: its rows would pass for this run's, also when this
        one is ended before it finds any. Raises `UsageError` if what has that name is not of an import.
        """
        if not self.path.exists():  # where nothing can be written, to remove nothing is refused, too
            return
        with self.path.open("rb") as file:
            begun = file.readline(1_000).decode("utf-8-sig", "replace")
        if begun and tuple(re.split(r"\W", begun)[: len(ERROR_COLUMNS)]) != ERROR_COLUMNS:
            raise UsageError(
                f"{self.path} is in the way: it is no import's list of wrong rows", "Give it another name."
            )
        self.path.unlink()

    def add(self, line: int, value: Any, reason: str, row: Row | Mapping[str, Any]) -> None:
        """Write one wrong row. *line* counts from 1 in the file."""
        cells = row.cells if isinstance(row, Row) else row
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8-sig", newline="")
            self._write([*ERROR_COLUMNS, *map(guarded, self._columns)])
        original = [_shown(cells.get(name, "")) for name in self._columns]
        self._write([line, *map(guarded, (_shown(value), reason, *original))])
        self.count += 1

    def _write(self, cells: Sequence[Any]) -> None:
        assert self._file
        with self._named():
            csv.writer(self._file, delimiter=self._delimiter).writerow(cells)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Where its disk is full the system does not say of which file."""
        try:
            yield
        except OSError as error:
            error.filename = str(self.path)
            raise


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def remember(engine: sa.Engine, path: Path) -> None:
    """Note where a file of errors may come to be, before it does: whoever is ended by force leaves it, too. Each has
    a note of its own: of two imports at once neither takes away the other's.
    """
    with engine.begin() as db:
        keep_note(db, _name(path), json.dumps(str(path.resolve())))


def forget(engine: sa.Engine, path: Path) -> None:
    """Take back the note of a file of errors that has not come to be."""
    if not path.exists():
        with engine.begin() as db:
            db.execute(sa.delete(note).where(note.c.name == _name(path)))


def remembered(db: sa.Connection) -> Sequence[Path]:
    """Where files of errors may lie. Until 2026-11-23 one note listed all."""
    values = db.scalars(
        sa.select(note.c.value).where(sa.or_(note.c.name == _NOTE, note.c.name.startswith(f"{_NOTE} ")))
    )
    told = [json.loads(value) for value in values]
    return [Path(path) for each in told for path in ([each] if isinstance(each, str) else each)]


def _name(path: Path) -> str:
    return f"{_NOTE} {hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]}"
