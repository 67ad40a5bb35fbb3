"""What one row of a file says about a contact that is about to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from vinculo.model import Address

About = tuple[str, str]
Proof = Mapping[str, Any]

#: Where and when a contact was first seen.
_FIRST = ("source", "first_seen")


class Told(NamedTuple):
    """What a row says about where its contact is reached, since when it is known and from where, and, by channel and
    topic, of consent, with what proves it.
    """

    line: int
    seen: datetime | None
    source: str
    addresses: Sequence[Address]
    answers: Mapping[About, tuple[bool, Proof]]


@dataclass(slots=True)
class Draft:
    """What one row says about a contact. *said* beats what we hold; *guessed* only fills what nobody said."""

    line: int
    key: str = ""
    said: dict[str, Any] = field(default_factory=dict)
    #: Name → value and what it was inferred from, `phone` or `country`.
    guessed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    addresses: list[Address] = field(default_factory=list)
    #: System → what it calls the contact.
    identifiers: dict[str, str] = field(default_factory=dict)
    #: What they have called it in rows before.
    called: list[tuple[str, str]] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    traits: dict[str, Any] = field(default_factory=dict)
    #: (channel, topic) -> yes or no
    consents: dict[About, bool] = field(default_factory=dict)
    #: What proves them: `at`, `source`, `legal_basis`, `text_hash`, `expires_at`.
    proof: dict[str, Any] = field(default_factory=dict)
    #: What a wrong row has said no to: nothing else proves that.
    heard: set[About] = field(default_factory=set)
    #: By its line, what each row says, of a draft of several.
    _rows: dict[int, Told] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What names the contact: its key, else another system's name of it, its first e-mail address, its number."""
        if self.key:
            return self.key
        if self.identifiers:
            return ":".join(next(iter(self.identifiers.items())))
        mail = next((each.value for each in self.addresses if each.channel == "email"), "")
        return mail or self.addresses[0].value

    @property
    def names(self) -> list[str]:
        """All that names the contact: its key, its addresses, and what other systems call it."""
        called = [f"{system}:{value}" for system, value in self.identifiers.items()]
        return [*filter(None, [self.key]), *(each.value for each in self.addresses), *called]

    def add(self, later: Draft) -> None:
        """Take over what a later row of the same contact says, as if it came in a later batch."""
        self._rows = self._rows or {self.line: self._told()}
        for row in later.rows:
            self._rows.setdefault(row.line, row)
        self.heard |= later.heard
        self.said.update(self._seen(later.said))
        better = {name: guess for name, guess in later.guessed.items() if not self._knows_better(name, guess)}
        self.guessed = {**self.guessed, **better}
        self.addresses = [*later.addresses, *(each for each in self.addresses if each not in later.addresses)]
        self.called += self.identifiers.items()
        self.identifiers |= later.identifiers
        self.tags |= later.tags
        self.traits.update(later.traits)

    def _seen(self, later: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is taken over of *later*: the day when the contact was first seen only moves back, and where with it."""
        at, before = later.get("first_seen"), self.said.get("first_seen")
        earlier = at is not None and (before is None or at < before)
        return later if earlier else {name: said for name, said in later.items() if name not in _FIRST}

    def _knows_better(self, name: str, guess: tuple[str, str]) -> bool:
        """Whether what was inferred before tells more: a number is better than a country."""
        return guess[1] == "country" and self.guessed.get(name, ("", ""))[1] == "phone"

    def source_before(self, seen: datetime) -> str:
        """Where the contact comes from by the rows that know it from earlier than *seen*, and than the rows before."""
        source = ""
        for row in self.rows:
            if row.seen and row.seen < seen:
                seen, source = row.seen, row.source or source
        return source

    @property
    def rows(self) -> Sequence[Told]:
        """What each of its rows says of addresses and consent."""
        return list(self._rows.values()) or [self._told()]

    def _told(self) -> Told:
        answers = {about: (granted, self.proof) for about, granted in self.consents.items()}
        seen, source = self.said.get("first_seen"), self.said.get("source", "")
        return Told(self.line, seen, source, self.addresses, answers | {about: (False, {}) for about in self.heard})


def birthday(born: date | None) -> str:
    """Return `MM-DD`, which is what segments ask for."""
    return f"{born:%m-%d}" if born else ""
