"""New rows in the text that PostgreSQL's COPY takes: one process spells them, and who writes only numbers them.

The process that writes waits for the server all the time: whatever it does itself, the server waits for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

from vinculo.db.image import Column, Rows, uniform

_NULL = r"\N"
#: Lines that are numbered at a time.
_STEP = 1_024
#: What stands between lines; PostgreSQL has no text with it.
_BETWEEN = "\0"
#: What ends a value or a line, or begins what COPY reads in its stead.
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows of *table*, each a line of *text*, to be `numbered`: their columns *names*, but for the numbers of contacts.
    *owners*: whose each is, or who, by the place among new contacts, from 1.
    """

    table: str
    names: tuple[str, ...]
    owners: Sequence[int]
    text: bytes

    def but(self, left: Collection[int]) -> tuple[Sequence[int], Sequence[bytes]]:
        """Owners and lines of all but the contacts *left*."""
        lines = self.text.split(_BETWEEN.encode())
        if not left:
            return self.owners, lines
        kept = [at for at, owner in enumerate(self.owners) if owner not in left]
        return [self.owners[at] for at in kept], [lines[at] for at in kept]


def spelled(laid: Iterable[Rows]) -> list[Lines]:
    """Spell *laid*, which have rows; those of a table have the same columns, and stand together."""
    return [_spelled(list(each)) for _, each in groupby(laid, attrgetter("table"))]


def _spelled(parts: Sequence[Rows]) -> Lines:
    whose = [rows.columns.get("contact_id", range(1, len(rows) + 1)) for rows in parts]
    owners = whose[0] if len(whose) == 1 else list(chain(*whose))
    columns = {
        name: parts[0].columns[name] if len(parts) == 1 else list(chain(*(rows.columns[name] for rows in parts)))
        for name in parts[0].columns
        if name != "contact_id"
    }
    alike = {name: column for name, column in columns.items() if uniform(column)}
    told = {name: column for name, column in columns.items() if name not in alike}
    ends = [_cell(column[0]) for column in alike.values()]
    return Lines(parts[0].table.name, (*told, *alike), owners, _text(list(told.values()), ends, len(owners)).encode())


def _text(told: Sequence[Column], ends: Sequence[str], number: int) -> str:
    """Lines of what is *told*, which all end alike."""
    if not told:
        return _BETWEEN.join(["\t" + "\t".join(ends) + "\n"] * number)
    tail = "".join(f"\t{each}" for each in ends)
    # What COPY reads otherwise is rare in texts, and looked for in all of them at once.
    texts = [
        column if isinstance(column[0], str) else [_NULL if each is None else str(each) for each in column]
        for column in told
    ]
    empty = sum(column.count(None) for column in told if not isinstance(column[0], str))
    plain = number, number * (len(told) + len(ends)), number * tail.count("\\") + empty, 0
    try:
        text = _joined(texts, tail)
    except TypeError:  # a text here, and nothing there
        text = ""
    if tuple(map(text.count, "\n\t\\\r")) == plain:
        return text
    return _joined([list(map(_cell, column)) for column in told], tail)


def _joined(told: Sequence[Column], tail: str) -> str:
    return "\t" + f"{tail}\n{_BETWEEN}\t".join(map("\t".join, zip(*told, strict=True))) + f"{tail}\n"


def numbered(lines: Sequence[bytes], *numbers: Sequence[int]) -> Iterator[bytes]:
    """*lines* behind their *numbers*, in parts: the server takes in one while the next is put together."""
    for start in range(0, len(lines), _STEP):
        part = slice(start, start + _STEP)
        yield _numbered(lines[part], [column[part] for column in numbers])


def _numbered(lines: Sequence[bytes], numbers: Sequence[Sequence[int]]) -> bytes:
    step = len(numbers) + 1
    found = [b""] * (step * len(lines))
    for at, column in enumerate(numbers):
        before = "\t" if at else ""
        found[at::step] = (before + f"\n{before}".join(map(str, column))).encode().split(b"\n")
    found[step - 1 :: step] = lines
    return b"".join(found)


def _cell(value: Any) -> str:
    return _NULL if value is None else str(value).translate(_ESCAPES)
