"""New rows as a database in memory, whose bytes one process makes and another pours into SQLite: nobody looks at a row.

The process that writes is the one that others wait for. Binding values takes it longer than writing them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, repeat
from typing import Any

import sqlalchemy as sa

from vinculo.db.statement import direct

Column = Sequence[Any]
#: As what a connection that takes images has them; see `bulk.Intake`.
ATTACHED = "incoming"
#: Rows in a statement: of more, their values leave the processor's cache before they are bound.
_STEP = 64
#: By another version of its tables SQLite knows another database.
_VERSIONS = count(1_000)
#: What is another in each row, even in an image of one.
_OWN = frozenset({"key", "contact_id"})


class Alike(Sequence[Any]):
    """A column of *number* rows that all say *value*."""

    def __init__(self, value: Any, number: int) -> None:
        self._value, self._number = value, number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, at: Any) -> Any:
        return self._value

    def __iter__(self) -> Iterator[Any]:
        return repeat(self._value, self._number)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of *table*, a column at a time."""

    table: sa.Table
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def lines(self) -> Iterator[tuple[Any, ...]]:
        """A line a row."""
        return zip(*self.columns.values(), strict=True)


@dataclass(frozen=True, slots=True)
class Part:
    """*number* rows of *table* in an image, with rowids from 1: they have the columns *names*, and all say *alike*."""

    table: str
    number: int
    names: tuple[str, ...]
    alike: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Image:
    """*parts* are the tables `part0`, `part1` … of the database *data*."""

    data: bytes
    parts: Sequence[Part]


def possible() -> bool:
    """Whether this SQLite takes a database for its bytes, as all do since 3.36 that are not told to leave it out."""
    return hasattr(sqlite3.Connection, "deserialize")


def drawn(laid: Iterable[Rows]) -> Image | None:
    """Make an image of *laid*, which have rows; None if there is no room for it."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        db.execute("BEGIN")
        parts = [_drawn(db, f"part{n}", rows) for n, rows in enumerate(laid)]
        db.execute("COMMIT")
        return Image(db.serialize(), parts)
    except (sqlite3.Error, MemoryError):
        return None
    finally:
        db.close()


def _drawn(db: sqlite3.Connection, name: str, rows: Rows) -> Part:
    alike = {each: column[0] for each, column in rows.columns.items() if each not in _OWN and uniform(column)}
    told = {each: column for each, column in rows.columns.items() if each not in alike}
    db.execute(f"CREATE TABLE {name} ({','.join(told)})")
    lines, start = list(zip(*told.values(), strict=True)), 0
    while start < len(lines):
        part = lines[start : start + _STEP]
        marks = ",".join([f"({','.join('?' * len(told))})"] * len(part))
        db.execute(f"INSERT INTO {name} VALUES {marks}", list(chain.from_iterable(part)))  # noqa: S608 - names of ours
        start += _STEP
    return Part(rows.table.name, len(lines), tuple(told), alike)


def uniform(column: Column) -> bool:
    """Whether all of *column*, which is not empty, says the same."""
    return isinstance(column, Alike) or column.count(column[0]) == len(column)


def unroll(db: sa.Connection, image: Image, left: Sequence[int]) -> bool:
    """Open *image* as `ATTACHED`, instead of the one before, without the contacts whose numbers in it are *left*.

    Tells whether SQLite has taken it: for one in memory there may be no room.
    """
    driver: Any = db.connection.dbapi_connection
    try:
        driver.deserialize(image.data, name=ATTACHED)
    except (sqlite3.Error, MemoryError):
        return False
    # Else a statement that the driver has kept takes the pages of the one before for its tables.
    driver.execute(f"PRAGMA {ATTACHED}.schema_version = {next(_VERSIONS)}")
    if left:
        for n, part in enumerate(image.parts):
            number = "contact_id" if "contact_id" in part.names else "rowid"
            gone = f"DELETE FROM {ATTACHED}.part{n} WHERE {number} IN (SELECT value FROM json_each(?))"  # noqa: S608 - names of ours
            direct(db, gone, (json.dumps(left),))
    return True


def move(db: sa.Connection, part: int, table: str, values: Mapping[str, str], alike: Mapping[str, Any]) -> None:
    """Insert the rows of a part into *table*: its columns by what they are there, and what they all say *alike*.

    Raises `sa.exc.IntegrityError` if one is there; what the transaction wrote before is then to be taken back.
    """
    names, given = ",".join([*values, *alike]), ",".join([*values.values(), *("?" * len(alike))])
    text = f"INSERT OR FAIL INTO main.{table} ({names}) SELECT {given} FROM {ATTACHED}.part{part}"  # noqa: S608 - names of ours
    direct(db, text, list(alike.values()))
