"""Rows of a file a column at a time, each about another contact: what `wholesale` reads and `laying` writes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from vinculo.contacts.importing.file.packing import Packed, packed, unpacked
from vinculo.contacts.importing.file.sheet import Chunk, Row

Column = Sequence[Any]
Columns = Mapping[tuple[str, ...], Column]
GUESSED = ("country", "timezone", "language")
#: What a lot says of each contact.
PERSON = (
    *("key", "kind", "given_name", "family_name", "region", "city", "owner", "source"),
    *GUESSED,
    *(f"{name}_from" for name in GUESSED),
    *("birthdate", "birthday", "traits", "first_seen"),
)
#: What it says of all answers about consent of each contact.
PROOF = ("at", "source", "legal_basis", "text_hash", "expires_at")


@dataclass(frozen=True, slots=True)
class Lot:
    """At the same place of every column is the same row of *chunk*, the one at that place of *places*.

    The columns go by family and names: `person city`, `address email`, `id crm`, `tags`, `consent email news`, and what
    proves these, `proof at`. Values are as the database has them. Who has no such address or identifier has "", who
    gave no such answer None.
    """

    chunk: Chunk
    places: Sequence[int]
    columns: Columns

    def __reduce__(self) -> tuple[Callable[..., Lot], tuple[Any, ...]]:
        return _unpacked, (self.chunk, self.places, list(self.columns), list(map(packed, self.columns.values())))

    def of(self, family: str) -> dict[tuple[str, ...], Column]:
        """The columns of a family, by the names behind it."""
        return {names[1:]: self.columns[names] for names in self.columns if names[0] == family}

    @property
    def keys(self) -> Sequence[str]:
        """The contacts' keys: in a file without keys, their addresses."""
        return self.columns["person", "key"]

    def without(self, left: Collection[int]) -> tuple[Lot, list[Row]]:
        """The lot without the rows at the places *left* of its columns, and those as they were in the file."""
        if not left:
            return self, []
        rows = [row for at in sorted(left) if (row := self.chunk.row(self.places[at]))]
        return self.only([at not in left for at in range(len(self.places))]), rows

    def only(self, kept: Sequence[Any]) -> Lot:
        """The lot of the rows at whose places *kept* has something."""
        if all(kept):
            return self
        columns = _Columns(self.columns, lambda names: list(compress(self.columns[names], kept)))
        return Lot(self.chunk, list(compress(self.places, kept)), columns)


class _Columns(Mapping[tuple[str, ...], Column]):
    """The columns *names*, each made when somebody looks at it: of most rows that takes more room than they do packed,
    and few columns are looked at where they are written.
    """

    def __init__(self, names: Iterable[tuple[str, ...]], make: Callable[[tuple[str, ...]], Column]) -> None:
        self._names, self._make = list(names), make
        self._seen: dict[tuple[str, ...], Column] = {}

    def __getitem__(self, names: tuple[str, ...]) -> Column:
        if names not in self._seen:
            self._seen[names] = self._make(names)
        return self._seen[names]

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _unpacked(chunk: Chunk, places: Sequence[int], names: Sequence[tuple[str, ...]], columns: Sequence[Packed]) -> Lot:
    given = dict(zip(names, columns, strict=True))
    return Lot(chunk, places, _Columns(names, lambda each: unpacked(given[each])))
