"""From one row of a file to a contact about to be written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from vinculo.contacts import values
from vinculo.contacts.columns import SKIPPED, place_of
from vinculo.contacts.sheet import Row
from vinculo.mail import normalise_address, place_of_number
from vinculo.model import Address

_TEXT = ("given_name", "family_name", "region", "city", "owner", "source")
_CODED = {"kind": values.kind, "country": values.country, "language": values.language, "timezone": values.zone}
_UNREADABLE = "\ufffd"
_LONGEST_KEY = 200
#: Where a place's column holds several values.
_SEPARATORS = str.maketrans("|\n", ";;")


class RowError(ValueError):
    """A row cannot become a contact: the *value* is wrong for *reason*."""

    def __init__(self, value: Any, reason: str) -> None:
        self.value, self.reason = value, reason
        super().__init__(reason)


@dataclass(slots=True)
class Draft:
    """What one row says about a contact. *said* beats what we hold; *guessed* only fills what we do not know."""

    line: int
    key: str = ""
    said: dict[str, Any] = field(default_factory=dict)
    guessed: dict[str, str] = field(default_factory=dict)
    addresses: list[Address] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    traits: dict[str, Any] = field(default_factory=dict)
    #: (channel, topic) -> yes or no
    consents: dict[tuple[str, str], bool] = field(default_factory=dict)
    consent_at: datetime | None = None
    consent_source: str = ""
    legal_basis: str = ""

    @property
    def identity(self) -> str:
        """What names the contact when the row has no key: its first e-mail address, else its first number."""
        mail = next((each.value for each in self.addresses if each.channel == "email"), "")
        return self.key or mail or self.addresses[0].value

    def add(self, later: Draft) -> None:
        """Take over what a later row of the same contact says; of two consents the stricter holds."""
        self.said.update(later.said)
        self.guessed = later.guessed | self.guessed
        self.addresses += [each for each in later.addresses if each not in self.addresses]
        self.tags |= later.tags
        self.traits.update(later.traits)
        for about, granted in later.consents.items():
            self.consents[about] = granted and self.consents.get(about, True)
        self.consent_at = max(filter(None, (self.consent_at, later.consent_at)), default=None)
        self.consent_source = later.consent_source or self.consent_source
        self.legal_basis = later.legal_basis or self.legal_basis


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns rows into drafts. *country* and *zone* are the company's: what a row means that does not say."""

    places: Mapping[str, str]
    now: datetime
    country: str = ""
    zone: str = ""

    def draft(self, row: Row) -> Draft:
        """Return the draft of *row*. Raises `RowError`."""
        if row.surplus:
            raise RowError(row.surplus[0], "the row has more values than the file has columns")
        cells = self._by_place(row)
        draft = Draft(row.line, key=_key(_text(cells.get("key"))))
        self._fields(draft, cells)
        self._addresses(draft, cells)
        if not draft.key and not draft.addresses:
            raise RowError("", "the row has neither a key nor an address")
        draft.tags = set(_several(cells.get("tags")))
        draft.traits = {p[6:]: values.trait(v) for p, v in cells.items() if p.startswith("trait.")}
        _consents(draft, cells)
        _guess(draft)
        return draft

    def _by_place(self, row: Row) -> dict[str, Any]:
        cells: dict[str, Any] = {}
        for column, value in row.cells.items():
            if value is None or value == "":
                continue
            if isinstance(value, str) and _UNREADABLE in value:
                raise RowError(value, f"column {column} holds a character that cannot be read")
            place = self.places.get(column) or place_of(column)
            if place != SKIPPED:
                cells[place] = value
        return cells

    def _fields(self, draft: Draft, cells: Mapping[str, Any]) -> None:
        said = draft.said
        given, _, family = _line(cells.get("name")).partition(" ")
        if given:
            said |= {"given_name": given, "family_name": family}
        said |= {name: _line(cells[name]) for name in _TEXT if name in cells}
        for name, read in _CODED.items():
            if name in cells:
                said[name] = _read(read, _text(cells[name]))
        country = said.get("country") or self.country
        zone = said.get("timezone") or self.zone
        if "birthdate" in cells:
            said["birthdate"] = _read(values.birthdate, _text(cells["birthdate"]), country, self.now)
        if "first_seen" in cells:
            said["first_seen"] = self._past(cells["first_seen"], country, zone)
        if "consent_date" in cells:
            draft.consent_at = self._past(cells["consent_date"], country, zone)
        draft.consent_source, draft.legal_basis = _text(cells.get("consent_source")), _text(cells.get("legal_basis"))

    def _past(self, value: Any, country: str, zone: str) -> datetime:
        at: datetime = _read(values.instant, _text(value), country, zone)
        if at > self.now:
            raise RowError(value, "the date lies in the future")
        return at

    def _addresses(self, draft: Draft, cells: Mapping[str, Any]) -> None:
        country = draft.said.get("country") or self.country
        for place, value in cells.items():
            if place in {"email", "sms", "whatsapp"} or place.startswith("address."):
                channel = place.removeprefix("address.")
                for each in _several(value):
                    address = Address(channel, _read(normalise_address, channel, each, country, shown=each))
                    if address not in draft.addresses:
                        draft.addresses.append(address)


def _read(read: Any, *given: Any, shown: str | None = None) -> Any:
    try:
        return read(*given)
    except ValueError as error:
        raise RowError(given[0] if shown is None else shown, str(error)) from None


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _line(value: Any) -> str:
    """Return *value* as one line: names end up in headers and greetings."""
    return " ".join(_text(value).split())


def _several(value: Any) -> list[str]:
    parts: Iterable[Any] = value if isinstance(value, list) else _text(value).translate(_SEPARATORS).split(";")
    return [text for part in parts if (text := str(part).strip())]


def _key(key: str) -> str:
    if key.startswith("#") or len(key) > _LONGEST_KEY or not key.isprintable():
        raise RowError(key, f"a key is up to {_LONGEST_KEY} visible characters and does not begin with #")
    return key


def _consents(draft: Draft, cells: Mapping[str, Any]) -> None:
    reached = list(dict.fromkeys(each.channel for each in draft.addresses))
    for place, value in cells.items():
        if not place.startswith("consent."):
            continue
        *channel, topic = place.split(".")[1:]
        if not channel and not reached:
            raise RowError(value, f"{place} needs an address in the row, or a channel: consent.email.{topic}")
        granted = _read(values.yes, value)
        for name in channel or reached:
            draft.consents[name, topic] = granted and draft.consents.get((name, topic), True)


def _guess(draft: Draft) -> None:
    """Fill in country, zone and language from the number, then from the country."""
    number = next((each.value for each in draft.addresses if each.value.startswith("+")), "")
    country, zone = place_of_number(number) if number and not {"country", "timezone"} <= draft.said.keys() else ("", "")
    country = draft.said.get("country") or country
    guesses = {"country": country, "timezone": zone or values.zone_of(country), "language": values.language_of(country)}
    draft.guessed = {name: guess for name, guess in guesses.items() if guess and name not in draft.said}


def birthday(born: date | None) -> str:
    """Return `MM-DD`, which is what segments ask for."""
    return f"{born:%m-%d}" if born else ""
