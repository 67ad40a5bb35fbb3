"""What one row of a file says about a contact that is about to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from vinculo.model import Address

#: Where and when a contact was first seen.
_FIRST = ("source", "first_seen")


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
    consents: dict[tuple[str, str], bool] = field(default_factory=dict)
    #: What proves them: `at`, `source`, `legal_basis`, `text_hash`, `expires_at`.
    proof: dict[str, Any] = field(default_factory=dict)
    #: What proves those that a later row has told.
    proofs: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

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
        """Take over what a later row of the same contact says, as if it came in a later batch; of two consents the
        stricter holds, with its proof.
        """
        self.said.update(self._seen(later.said))
        better = {name: guess for name, guess in later.guessed.items() if not self._knows_better(name, guess)}
        self.guessed = {**self.guessed, **better}
        self.addresses = [*later.addresses, *(each for each in self.addresses if each not in later.addresses)]
        self.called += self.identifiers.items()
        self.identifiers |= later.identifiers
        self.tags |= later.tags
        self.traits.update(later.traits)
        for about, granted in later.consents.items():
            self.hear(about, granted, later.proof)

    def _seen(self, later: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is taken over of *later*: the day when the contact was first seen only moves back, and where with it."""
        at, before = later.get("first_seen"), self.said.get("first_seen")
        earlier = at is not None and (before is None or at < before)
        return later if earlier else {name: said for name, said in later.items() if name not in _FIRST}

    def _knows_better(self, name: str, guess: tuple[str, str]) -> bool:
        """Whether what was inferred before tells more: a number is better than a country."""
        return guess[1] == "country" and self.guessed.get(name, ("", ""))[1] == "phone"

    def proof_of(self, about: tuple[str, str]) -> Mapping[str, Any]:
        """What proves the answer to that topic on that channel."""
        return self.proofs.get(about, self.proof)

    def hear(self, about: tuple[str, str], granted: bool, proof: Mapping[str, Any]) -> None:  # noqa: FBT001 - an answer
        """Of two answers alike the newest counts. A no without a date is as of now; a yes is as old as can be."""
        had, before = self.consents.get(about), self.proof_of(about)
        if had is not None and had != granted:
            said = proof if had else before
            dates = [each["at"] for each in (before, proof) if "at" in each]
            proof = {**said, "at": max(dates)} if "at" in said else said
        elif had is not None and _age(granted, proof) < _age(granted, before):
            proof = before
        self.consents[about] = granted and had is not False
        self.proofs[about] = proof


def _age(granted: bool, proof: Mapping[str, Any]) -> datetime:  # noqa: FBT001 - an answer
    undated = datetime(1 if granted else 9999, 1, 1, tzinfo=UTC)
    at: datetime = proof.get("at", undated)
    return at


def birthday(born: date | None) -> str:
    """Return `MM-DD`, which is what segments ask for."""
    return f"{born:%m-%d}" if born else ""
