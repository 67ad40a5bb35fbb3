"""What lies of an erased person beside the database, in the project's own folders."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from vinculo.contacts.erasure.naming import Naming
from vinculo.contacts.importing.file.errorfile import SUFFIX, remembered
from vinculo.contacts.importing.file.sniffing import SAMPLE, delimiter
from vinculo.contacts.past import selves
from vinculo.db.tables import address, alias, contact, identifier

if TYPE_CHECKING:  # see `merging.joining`
    from vinculo.project import Project

#: A telephone number is known by its last digits, however it is written.
_DIGITS = 8
#: How every database file of SQLite begins (its documentation of the file format, §1.3).
_SQLITE = b"SQLite format 3\0"
#: The longest cell that is read: a row that is wrong may be of any length, and the reader's own limit is 128 KiB.
_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Traces:
    """How a person is known in a file: by *addresses* anywhere in it, by *keys* as a cell of a row.

    *files*: the files of errors that imports have left.
    """

    addresses: frozenset[str]
    keys: frozenset[str]
    files: tuple[Path, ...]


def traces(db: sa.Connection, ids: Collection[int]) -> Traces:
    """Collect the traces of the contacts *ids*: before they are erased, for then nobody knows them."""
    all_ids = [each for number in ids for each in selves(db, number)]

    def held(column: sa.Column[str], owner: sa.Column[int]) -> Sequence[str]:
        return db.scalars(sa.select(column).where(owner.in_(all_ids))).all()

    keys = [*held(contact.c.key, contact.c.id), *held(alias.c.key, alias.c.contact_id)]
    keys += held(identifier.c.value, identifier.c.contact_id)
    addresses = frozenset(held(address.c.value, address.c.contact_id))
    named = frozenset(key for key in keys if not key.startswith("#"))
    return Traces(addresses, named, tuple(remembered(db)))


def sweep(project: Project, found: Traces) -> int:
    """Clear the person out of the project's folders; return how many files were deleted or written anew.

    Messages in an outbox folder and mails in the polled Maildir go if they name an address of the person; rows of files
    of errors go; answers of providers that wait in `var/` to be settled keep all but the address.
    """
    letters = sum(_delete(path, found) for folder in _folders(project) for path in _files(folder))
    waiting = sum(_blacken(path, found) for path in _files(project.root / "var"))
    errors = {*found.files, *(path.resolve() for path in project.root.glob("*" + SUFFIX))}
    return letters + waiting + sum(_drop_rows(path, found) for path in sorted(errors))


def _folders(project: Project) -> Iterator[Path]:
    settings = project.settings
    kept = (options.get("folder") for options in settings.options.values())
    for name in (*kept, settings.listen.maildir):
        if isinstance(name, str) and name:
            yield project.root / name


def _files(folder: Path) -> Iterable[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return [path for path in found if not _is_database(path)]


def _is_database(path: Path) -> bool:
    """Ours, or Prefect's, lies in `var/`, too: who writes into it past SQLite breaks it. `scrub` makes it forget."""
    if path.name.endswith(("-wal", "-shm", "-journal")):
        return True
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _delete(path: Path, found: Traces) -> bool:
    hit = Naming(found.addresses).in_(path.read_bytes())
    if hit:
        path.unlink(missing_ok=True)
    return hit


def _blacken(path: Path, found: Traces) -> bool:
    """Write over each address in place: the file may be open, and every line of it still counts."""
    content = path.read_bytes()
    hit = False
    with path.open("r+b") as file:
        for each in (value.encode() for value in found.addresses):
            at = content.find(each)
            while at >= 0:
                file.seek(at)
                file.write(b"x" * len(each))
                hit, at = True, content.find(each, at + len(each))
    return hit


def _drop_rows(path: Path, found: Traces) -> bool:
    if not path.is_file():
        return False
    rows, between = _rows(path)
    naming = Naming(found.addresses)
    kept = [row for row in rows if not any(_tells(cell, found, naming) for cell in row)]
    if len(kept) == len(rows):
        return False
    if len(kept) <= 1:
        path.unlink()
        return True
    text = io.StringIO()
    csv.writer(text, delimiter=between).writerows(kept)
    path.write_text(text.getvalue(), encoding="utf-8-sig", errors="surrogateescape")
    return True


def _rows(path: Path) -> tuple[list[list[str]], str]:
    """Read the rows of a file of errors, and what is between its cells; a spreadsheet may have saved it anew since.

    What cannot be read is written again as it was.
    """
    text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        between = delimiter(text[:SAMPLE])
        return list(csv.reader(io.StringIO(text), delimiter=between)), between
    finally:
        csv.field_size_limit(before)


def _tells(cell: str, found: Traces, naming: Naming) -> bool:
    plain = cell.removeprefix("'").strip()
    if plain in found.keys or naming.stands_in(f" {cell.casefold()}".encode(errors="surrogateescape")):
        return True
    digits = "".join(filter(str.isdecimal, plain))
    return len(digits) >= _DIGITS and any(each.startswith("+") and each.endswith(digits) for each in found.addresses)
