"""From one row of a file to its draft: each cell is taken to its place, and what nobody said is guessed (`guess`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from vinculo.contacts.importing.file.sheet import Row
from vinculo.contacts.importing.row import values
from vinculo.contacts.importing.row.columns import SKIPPED, place_of
from vinculo.contacts.importing.row.draft import Draft
from vinculo.contacts.importing.row.guess import NOWHERE, guessed
from vinculo.contacts.importing.row.wrong import RowError, require_readable, together
from vinculo.mail import NUMBERED, normalise_address, place_of_number
from vinculo.model import Address
from vinculo.quick import quick

_TEXT = ("given_name", "family_name", "region", "city", "owner", "source")
_CODED: dict[str, Callable[[str], str]] = {
    "kind": values.kind,
    "country": values.country,
    "language": values.language,
    "timezone": values.zone,
}
_REACHED = ("email", "sms", "whatsapp", "address")
LONGEST_KEY = 200
#: Where a place's column holds several values.
_SEPARATORS = str.maketrans("|\n", ";;")
#: How the keys begin of the rows that erasing and merging leave.
GONE = ("erased", "merged")
_GONE = re.compile(rf"({'|'.join(GONE)})-\d+", re.ASCII)
#: What people write between two addresses in a cell, which may be a part of one.
_SEVERAL = re.compile(r"@.*[,/ ].*@|\d{4}[^@]*[,/][^@]*\d{4}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: What a value means depends on these: they are read first.
_FIRST = ("country", "timezone", "consent_date")
_ADDRESS = quick(Address)


#: Puts the value of a cell where it belongs. Raises `RowError`.
Taker = Callable[[Draft, Any], None]
_Plan = list[tuple[str, Taker]]


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns rows into drafts. *country*, *zone*, *currency* are the company's: what a row means that does not say."""

    places: Mapping[str, str]
    now: datetime
    country: str = ""
    zone: str = ""
    currency: str = ""
    #: How rows with the same columns are read: worked out once for all of them.
    _plans: dict[tuple[str, ...], _Plan] = field(default_factory=dict, compare=False)
    #: Of each trait the first amount that could mean two numbers, and which it was taken for.
    thousands: dict[str, dict[str, Any]] = field(default_factory=dict, compare=False)

    def draft(self, row: Row) -> Draft:
        """Return the draft of *row*. Raises `RowError`."""
        if row.surplus:
            raise RowError(row.surplus[0], "the row has more values than the file has columns")
        draft, cells, wrong = Draft(row.line), row.cells, {}
        columns = tuple(cells)
        for column, take in self._plans.get(columns) or self._plan(columns):
            value = cells[column]
            if value or value not in ("", None):
                try:
                    require_readable(value)
                    take(draft, value)
                except RowError as error:
                    wrong[column] = error
        if wrong:
            raise together(wrong)
        if not (draft.key or draft.addresses or draft.identifiers):
            raise RowError("", "the row has neither a key nor an address")
        number = next((each.value for each in draft.addresses if each.channel in NUMBERED), "")
        draft.guessed = guessed(draft.said, place_of_number(number) if number else NOWHERE)
        return draft

    def noes(self, row: Row) -> Draft | None:
        """Return what *row*, which is wrong, says no to, if what names its contact can be read: to leave is always
        possible. A row with more values than columns is not read: they may stand under the wrong ones.
        """
        said, columns = Draft(row.line), tuple(row.cells)
        for column, take in () if row.surplus else self._plans.get(columns) or self._plan(columns):
            with suppress(RowError):
                if row.cells[column] not in ("", None):
                    take(said, row.cells[column])
        no = {about: False for about, granted in said.consents.items() if not granted}
        if not (no and (said.key or said.addresses or said.identifiers)):
            return None
        said.said, said.tags, said.traits, said.consents = {}, set(), {}, no
        return said

    def _plan(self, columns: tuple[str, ...]) -> _Plan:
        places = {column: self.places.get(column) or place_of(column) for column in columns}
        order = sorted(columns, key=lambda column: order_of(places[column]))
        plan = [(column, self.taker(places[column])) for column in order if places[column] != SKIPPED]
        self._plans[columns] = plan
        return plan

    def taker(self, place: str) -> Taker:
        """Return what takes the value of a cell, which is not empty, to that place of a draft."""
        family, _, rest = place.partition(".")
        if family in _REACHED:
            return self._address(rest if family == "address" else family)
        if place in _CODED:
            return _coded(place, _CODED[place])
        if place in _TEXT:
            return _words(place)
        made = {"trait": self._trait, "id": _identifier, "consent": _consent}.get(family)
        if made and rest:
            return made(rest)
        simple: dict[str, Taker] = {"key": _key, "name": _name, "tags": _tags, "legal_basis": _proof("legal_basis")}
        simple |= {"consent_source": _proof("source"), "consent_text": _text_shown, "consent_text_hash": _text_hash}
        return simple.get(place) or self._dated(place)

    def _trait(self, name: str) -> Taker:
        mark = values.thousands_mark(self.country)

        def take(draft: Draft, value: Any) -> None:
            read = draft.traits[name] = values.trait(value, self.currency, mark)
            if type(read) is int and values.could_be_two(value, self.currency, mark):
                self.thousands.setdefault(name, {value: read})

        return take

    def _dated(self, place: str) -> Taker:
        def born(draft: Draft, value: Any) -> None:
            country = draft.said.get("country") or self.country
            draft.said["birthdate"] = _read(values.birthdate, _text(value), country, self.now)

        def seen(draft: Draft, value: Any) -> None:
            draft.said["first_seen"] = self._past(draft, value)

        def consented(draft: Draft, value: Any) -> None:
            draft.proof["at"] = self._past(draft, value)

        def expires(draft: Draft, value: Any) -> None:
            at = draft.proof["expires_at"] = self._instant(draft, value)
            if at <= draft.proof.get("at", self.now):
                raise RowError(value, "the consent would end before it began")

        return {"birthdate": born, "first_seen": seen, "consent_date": consented, "consent_expires": expires}[place]

    def _instant(self, draft: Draft, value: Any) -> datetime:
        country, zone = draft.said.get("country") or self.country, draft.said.get("timezone") or self.zone
        at: datetime = _read(values.instant, _text(value), country, zone)
        return at

    def _past(self, draft: Draft, value: Any) -> datetime:
        at = self._instant(draft, value)
        if at > self.now:
            raise RowError(value, "the date lies in the future")
        return at

    def _address(self, channel: str) -> Taker:
        def take(draft: Draft, value: Any) -> None:
            country = draft.said.get("country") or self.country
            for each in _several(value):
                try:
                    address = _ADDRESS(channel, normalise_address(channel, each, country))
                except ValueError as error:
                    several = " Write several with `;` between them." if _SEVERAL.search(each) else ""
                    raise RowError(each, f"{error}{several}") from None
                if address not in draft.addresses:
                    draft.addresses.append(address)

        return take


def order_of(place: str) -> tuple[int, str]:
    """Addresses before consents, which are about the channels that they name, and the first before the second."""
    if place in _FIRST:
        return _FIRST.index(place), ""
    if place.startswith("consent."):
        return 9, ""
    return (5, place) if place.partition(".")[0] in _REACHED else (4, "")


# ── one cell ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _coded(place: str, read: Callable[[str], str]) -> Taker:
    def take(draft: Draft, value: Any) -> None:
        draft.said[place] = _read(read, _text(value))

    return take


def _words(place: str) -> Taker:
    def take(draft: Draft, value: Any) -> None:
        draft.said[place] = _line(value)

    return take


def _identifier(system: str) -> Taker:
    def take(draft: Draft, value: Any) -> None:
        draft.identifiers[system] = named(value)

    return take


def _consent(about: str) -> Taker:
    channel, _, topic = about.rpartition(".")

    def take(draft: Draft, value: Any) -> None:
        granted = _read(values.yes, value)
        reached = [channel] if channel else list(dict.fromkeys(each.channel for each in draft.addresses))
        if not reached:
            needed = f"consent.{about} needs an address in the row, or a channel: consent.email.{topic}"
            raise RowError(value, needed, follows=True)
        for name in reached:
            draft.consents[name, topic] = granted and draft.consents.get((name, topic), True)

    return take


def _proof(name: str) -> Taker:
    def take(draft: Draft, value: Any) -> None:
        draft.proof[name] = _text(value)

    return take


def _text_shown(draft: Draft, value: Any) -> None:
    draft.proof["text_hash"] = hashlib.sha256(_text(value).encode()).hexdigest()


def _text_hash(draft: Draft, value: Any) -> None:
    if not _SHA256.fullmatch(_text(value).lower()):
        raise RowError(value, "write the SHA-256 of the text: 64 hexadecimal digits")
    draft.proof["text_hash"] = _text(value).lower()


def _key(draft: Draft, value: Any) -> None:
    draft.key = keyed(value)


def keyed(value: Any) -> str:
    """Return *value* as a contact's own key. Raises `RowError`."""
    key = named(value)
    if _GONE.fullmatch(key):
        raise RowError(key, "that is the empty row of a contact that is gone: give the contact a key of its own")
    return key


def _name(draft: Draft, value: Any) -> None:
    given, family = name_parts(_text(value))
    draft.said = {"given_name": given, "family_name": family} | draft.said


def name_parts(name: str) -> tuple[str, str]:
    """Return the first word of a full name, and the rest."""
    given, _, family = _line(name).partition(" ")
    return given, family


def _tags(draft: Draft, value: Any) -> None:
    draft.tags = set(_several(value))
    if too_long := next((name for name in draft.tags if len(name) > LONGEST_KEY), ""):
        raise RowError(too_long, f"a tag is up to {LONGEST_KEY} characters; between two tags write `;`")


def named(value: Any) -> str:
    """Return *value* as what some system calls a contact. Raises `RowError`."""
    key = _text(value)
    if key.startswith("#") or len(key) > LONGEST_KEY or not key.isprintable():
        raise RowError(key, f"a key is up to {LONGEST_KEY} visible characters and does not begin with #")
    return key


def _read(read: Any, value: Any, *given: Any) -> Any:
    try:
        return read(value, *given)
    except ValueError as error:
        raise RowError(value, str(error)) from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _line(value: Any) -> str:
    """Return *value* as one line of text: names end up in headers, where a control character stops the message."""
    text = _text(value)
    return text if text.isprintable() and "  " not in text else " ".join(_CONTROL.sub(" ", text).split())


def _several(value: Any) -> list[str]:
    if isinstance(value, str) and not (";" in value or "|" in value or "\n" in value):
        return [value]
    parts = value if isinstance(value, list) else _text(value).translate(_SEPARATORS).split(";")
    return [text for part in parts if (text := str(part).strip())]
