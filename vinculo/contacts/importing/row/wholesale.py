"""Rows by the thousand, a column at a time: what `reader` makes of each row, for those that say nothing unusual.

Values are read by the functions that read them in a single row, once for each way in which they are written. A row in
which one of these finds something wrong, or several addresses in a cell, is left to `reader`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Any

from vinculo.contacts.importing.file.sheet import Chunk, Row
from vinculo.contacts.importing.row import plain, values
from vinculo.contacts.importing.row.columns import SKIPPED
from vinculo.contacts.importing.row.draft import Draft, birthday
from vinculo.contacts.importing.row.guess import NOWHERE, guessed
from vinculo.contacts.importing.row.lot import GUESSED, PROOF, Column, Lot
from vinculo.contacts.importing.row.reader import Reader, keyed, named, order_of
from vinculo.db.tables import micros, moment
from vinculo.mail import NUMBERED, mailbox, mailboxes, normalise_address, place_of_number

_TEXT = ("kind", "given_name", "family_name", "region", "city", "owner", "source", *GUESSED)
#: What proves an answer, by its place.
_PROVEN = {
    "consent_source": "source",
    "legal_basis": "legal_basis",
    "consent_text": "text_hash",
    "consent_text_hash": "text_hash",
}
#: Places of dates, and what of a draft they say.
_DATED = {"birthdate": "birthdate", "first_seen": "first_seen", "consent_date": "at", "consent_expires": "expires_at"}
_KNOWN = frozenset({"key", "name", "tags", *_TEXT, *_PROVEN, *_DATED})
_FAMILIES = frozenset({"email", "sms", "whatsapp", "address", "id", "trait", "consent"})
#: So many ways to write a value are remembered.
_MOST = 20_000
#: What stands between several addresses in a cell.
_SEVERAL = frozenset("|;\n")


class Memo(dict[Any, Any]):
    """What *work* makes of a value, worked out once for each."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        super().__init__()
        self._work = work

    def __missing__(self, value: Any) -> Any:
        if len(self) >= _MOST:
            self.clear()
        made = self[value] = self._work(value)
        return made


class Wholesale:
    """Reads chunks of a file as *reader* reads their rows. *source*: where contacts come from that do not say it."""

    def __init__(self, reader: Reader, source: str) -> None:
        self.reader, self.source = reader, source
        places = {place: column for column, place in reader.places.items() if place != SKIPPED}
        self.column = {place: places[place] for place in sorted(places, key=order_of)}
        #: Channel → its first column; and the columns of further addresses.
        self.channels: dict[str, str] = {}
        self.further: list[str] = []
        for place, column in self.column.items():
            if (channel := _channel(place)) and self.channels.setdefault(channel, column) != column:
                self.further.append(column)
        self.answers = [tuple(place.split(".")[1:]) for place in places if place.startswith("consent.")]
        self.memos = {place: Memo(self._work(place)) for place in places}
        self.guesses = Memo(_guesses)

    @property
    def able(self) -> bool:
        """Whether a column names the contacts, every place is known, and no answer can come from two columns."""
        understood = all(place in _KNOWN or place.partition(".")[0] in _FAMILIES for place in self.column)
        named_by_mail = "email" in self.channels and not any(place.startswith("id.") for place in self.column)
        general = {names[0] for names in self.answers if len(names) == 1}
        twice = any(names[-1] in general for names in self.answers if len(names) > 1)
        return understood and ("key" in self.column or named_by_mail) and not twice

    def read(self, chunk: Chunk) -> tuple[Lot, list[Row]]:
        """Return the rows of *chunk* that say nothing unusual, and those that need a second look, in their order."""
        reading = _Reading(self, chunk)
        lot, rows = Lot(chunk, range(len(chunk.lines)), reading.columns()).without(reading.unusual)
        return lot, sorted([*rows, *chunk.wide], key=attrgetter("line"))

    def _work(self, place: str) -> Callable[[Any], Any]:
        """What reads a value of that place which is not empty; of a date, with what it depends on."""
        taken, (family, _, _) = self._taken, place.partition(".")
        if place in _DATED:
            return lambda given: self._dated(place, *given)
        if place in _PROVEN:
            return lambda value: taken(place, value).proof[_PROVEN[place]]
        work: dict[str, Callable[[Any], Any]] = {
            "tags": lambda value: sorted(taken(place, value).tags),
            "consent": values.yes,
            "trait": lambda value: json.dumps(taken(place, value).traits, ensure_ascii=False)[1:-1],
        }
        return work.get(family) or (lambda value: taken(place, value).said[place])

    def _dated(self, place: str, value: str, country: str, zone: str = "", before: int | None = None) -> Any:
        at = None if before is None else moment(before)
        draft = self._taken(place, value, at, country=country, timezone=zone)
        read = {**draft.said, **draft.proof}[_DATED[place]]
        return (read.isoformat(), birthday(read)) if place == "birthdate" else micros(read)

    def _taken(self, place: str, value: str, at: datetime | None = None, **said: str) -> Draft:
        """A draft that has taken *value*, of a row that has *said* so much before. Raises `RowError`."""
        known = {name: each for name, each in said.items() if each}
        draft = Draft(0, said=known, proof={} if at is None else {"at": at})
        self.reader.taker(place)(draft, value)
        return draft


class _Reading:
    """One chunk, column by column. *unusual*: the places of rows that need a second look."""

    def __init__(self, sale: Wholesale, chunk: Chunk) -> None:
        self._sale, self._cells, self._rows = sale, chunk.cells, len(chunk.lines)
        self.unusual: set[int] = set()
        self._text = {name: self._read(name, "") for name in _TEXT}
        self._country, self._zone = self._text["country"], self._text["timezone"]
        self._addresses = {channel: self._reached(channel, column) for channel, column in sale.channels.items()}

    def columns(self) -> dict[tuple[str, ...], Column]:
        """The columns of the lot."""
        sale = self._sale
        columns: dict[tuple[str, ...], Column] = {("person", name): column for name, column in self._person().items()}
        columns |= {("address", channel): column for channel, column in self._addresses.items()}
        for place in sale.column:
            if place.startswith("id."):
                cells = self._cells[sale.column[place]]
                columns["id", place[3:]] = plain.named(cells) or self._each(named, cells, "")
        if "tags" in sale.column:
            columns["tags",] = self._read("tags", ())
        columns |= {("proof", name): column for name, column in zip(PROOF, self._proof(), strict=True)}
        for names in sale.answers:
            columns |= self._answer(names)
        for column in sale.further:
            self._leave(self._cells[column])
        return columns

    # ── reading a column ─────────────────────────────────────────────────────────────────────────────────────────
    def _read(self, place: str, empty: Any, *before: Column) -> Column:
        """Read the values of that place; *before*: of each row what its value depends on."""
        column = self._sale.column.get(place)
        if column is None:
            return [empty] * self._rows
        memo, cells = self._sale.memos[place].__getitem__, self._cells[column]
        if not before:
            return self._each(memo, cells, empty)
        given = [each if each[0] else None for each in zip(cells, *before, strict=True)]
        return self._each(memo, given, empty)

    def _each(self, work: Callable[[Any], Any], given: Column, empty: Any) -> list[Any]:
        """Return *work* of each value given; *empty* for none, and where it raises: that row is unusual."""
        try:
            return [work(value) if value else empty for value in given]
        except ValueError:
            return [self._one(at, work, value, empty) for at, value in enumerate(given)]

    def _one(self, at: int, work: Callable[[Any], Any], value: Any, empty: Any) -> Any:
        try:
            return work(value) if value else empty
        except ValueError:
            self.unusual.add(at)
            return empty

    def _leave(self, marks: Column) -> None:
        self.unusual.update(at for at, mark in enumerate(marks) if mark)

    # ── who it is ────────────────────────────────────────────────────────────────────────────────────────────────
    def _person(self) -> dict[str, Column]:
        text, now = self._text, micros(self._sale.reader.now)
        given, family = self._names()
        born = self._read("birthdate", (None, ""), self._country)
        seen = self._read("first_seen", now, self._country, self._zone)
        return {
            "key": self._keys(),
            "kind": text["kind"],
            "given_name": given,
            "family_name": family,
            **{name: text[name] for name in ("region", "city", "owner")},
            "source": text["source"],
            **self._guessed(),
            "birthdate": [date for date, _ in born],
            "birthday": [day for _, day in born],
            "traits": self._traits(),
            "first_seen": seen,
        }

    def _keys(self) -> Column:
        column = self._sale.column.get("key")
        cells = [] if column is None else self._cells[column]
        keys = self._addresses["email"] if column is None else plain.keyed(cells) or self._each(keyed, cells, "")
        if not all(keys):
            self._leave([not key for key in keys])
        return keys

    def _names(self) -> tuple[Column, Column]:
        given, family = self._text["given_name"], self._text["family_name"]
        column = self._sale.column.get("name")
        if column is None:
            return given, family
        parts = plain.names(self._cells[column])
        return (
            [said or first for said, (first, _) in zip(given, parts, strict=True)],
            [said or rest for said, (_, rest) in zip(family, parts, strict=True)],
        )

    def _guessed(self) -> dict[str, Column]:
        numbers = [column for channel, column in self._addresses.items() if channel in NUMBERED]
        first = [next(filter(None, row), "") for row in zip(*numbers, strict=True)] or [""] * self._rows
        places = [place_of_number(number) if number else NOWHERE for number in first]
        said = zip(*(self._text[name] for name in GUESSED), places, strict=True)
        found = list(map(self._sale.guesses.__getitem__, said))
        names = (*GUESSED, *(f"{name}_from" for name in GUESSED))
        return dict(zip(names, map(list, zip(*found, strict=True) if found else [[]] * len(names)), strict=True))

    def _traits(self) -> Column:
        told = [self._read(place, "") for place in self._sale.column if place.startswith("trait.")]
        if not told:
            return ["{}"] * self._rows
        return [f"{{{', '.join(filter(None, row))}}}" for row in zip(*told, strict=True)]

    # ── where it is reached, and what it allowed ─────────────────────────────────────────────────────────────────
    def _reached(self, channel: str, column: str) -> Column:
        cells = self._cells[column]
        text = "".join(cells)
        if any(mark in text for mark in _SEVERAL):
            several = [not _SEVERAL.isdisjoint(cell) for cell in cells]
            self._leave(several)
            cells = ["" if many else cell for cell, many in zip(cells, several, strict=True)]
        if channel == "email":
            return mailboxes(cells) or self._each(mailbox, cells, "")
        company = self._sale.reader.country
        given = [(cell, country) if cell else None for cell, country in zip(cells, self._country, strict=True)]
        return self._each(lambda each: normalise_address(channel, each[0], each[1] or company), given, "")

    def _proof(self) -> tuple[Column, ...]:
        """The columns of `PROOF`."""
        dated = self._read("consent_date", None, self._country, self._zone)
        ends = self._read("consent_expires", None, self._country, self._zone, dated)
        sources, bases = self._read("consent_source", ""), self._read("legal_basis", "")
        # The text itself, or its hash: of both the one in the later column.
        texts = [self._read(place, "") for place in self._sale.column if _PROVEN.get(place) == "text_hash"]
        hashes = [next(filter(None, row), "") for row in zip(*reversed(texts), strict=True)] or [""] * self._rows
        return dated, sources, bases, hashes, ends

    def _answer(self, names: tuple[str, ...]) -> dict[tuple[str, ...], Column]:
        """What the column `consent.NAMES` says: on the channel that it names, else on each that reaches the contact."""
        answers = self._read(".".join(("consent", *names)), None)
        if len(names) > 1:
            return {("consent", *names): answers}
        reached = [any(row) for row in zip(*self._addresses.values(), strict=True)] or [False] * self._rows
        self._leave([answer is not None and not there for answer, there in zip(answers, reached, strict=True)])
        return {
            ("consent", channel, *names): [
                answer if there else None for answer, there in zip(answers, column, strict=True)
            ]
            for channel, column in self._addresses.items()
        }


def _channel(place: str) -> str:
    family, _, rest = place.partition(".")
    if family == "address":
        return rest
    return family if family in {"email", "sms", "whatsapp"} else ""


def _guesses(given: tuple[str, str, str, tuple[str, str]]) -> tuple[str, ...]:
    """Country, zone and language as they are said, or else inferred, and then what each was inferred from."""
    *told, place = given
    said = {name: value for name, value in zip(GUESSED, told, strict=True) if value}
    inferred = guessed(said, place)
    pairs = [(said[name], "") if name in said else inferred.get(name, ("", "")) for name in GUESSED]
    return (*(value for value, _ in pairs), *(evidence for _, evidence in pairs))
