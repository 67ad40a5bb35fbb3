"""The people of `bench.people`, dressed for every question: kinds, tags, traits, phones, consents, choices, scores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import Any

from bench.crowd.calendar import NOW
from bench.people import COLUMNS as _PLAIN
from bench.people import Rows, everybody
from vinculo.db.tables import micros
from vinculo.signing import Signer

COLUMNS = {
    **_PLAIN,
    "contact": f"{_PLAIN['contact']} birthdate birthday owner",
    "consent": f"{_PLAIN['consent']} legal_basis expires_at",
    "permission": f"{_PLAIN['permission']} expires_at",
    "score": "contact_id recency frequency value r f m stage alive expected lifetime_value at",
    "tag": "contact_id name",
    "preference": "contact_id name value at",
    "suppression": "channel address_hash reason source at",
}
_KINDS = (("customer", "lead", "partner", "staff"), (780, 190, 25, 5))
_STAGES = (("lead", "dormant", "at_risk", "champion", "loyal", "new", "active"), (22, 24, 14, 5, 10, 7, 18))
_TAGS = {"vip": 0.03, "event-2025": 0.05, "shop": 0.18, "wholesale": 0.01}
_OWNERS = ("marina", "duarte", "ines", "tomas")
_TOPICS = (("email", "offers", 0.6), ("sms", "offers", 0.3), ("whatsapp", "news", 0.25), ("email", "surveys", 0.4))
_BORN = date(1945, 1, 1)


@dataclass(frozen=True, slots=True)
class Dresser:
    """Gives each of the plain people what else is known of it. Numbers of rows count on over the whole crowd."""

    dice: Random
    signer: Signer
    address: count[int]
    consent: count[int]

    def __call__(self, person: dict[str, tuple[Any, ...]], rows: Rows) -> None:
        """Add the rows of *person* to *rows*."""
        dice, contact, at = self.dice, person["contact"], person["contact"][-1]
        traits = {**json.loads(contact[11]), "size": dice.choice("PMG"), "cups": dice.randrange(9)}
        if dice.random() < 0.05:
            traits["press"] = True
        born = _BORN + timedelta(days=dice.randrange(22_000)) if dice.random() < 0.6 else None
        known = [*contact[:2], dice.choices(*_KINDS)[0], *contact[3:11], json.dumps(traits, ensure_ascii=False), at, at]
        known += [born and born.isoformat(), f"{born:%m-%d}" if born else ""]
        rows["contact"].append((*known, dice.choice(_OWNERS) if dice.random() < 0.1 else ""))
        self._addresses(person, rows, at)
        self._consents(person, rows, at)
        rows["score"].append(self._score(contact[0]))
        rows["tag"] += [(contact[0], name) for name, share in _TAGS.items() if dice.random() < share]
        if dice.random() < 0.05:
            rows["preference"].append((contact[0], "frequency", dice.choice(("weekly", "monthly")), at))

    def _addresses(self, person: dict[str, tuple[Any, ...]], rows: Rows, at: int) -> None:
        number, _, _, mailbox, hashed, *_ = person["address"]
        contact = person["contact"][0]
        found = [("email", mailbox, hashed)]
        phone = f"+5511{900000000 + number}"
        found += [(c, phone, "") for c, share in (("sms", 0.6), ("whatsapp", 0.45)) if self.dice.random() < share]
        for position, (channel, value, known) in enumerate(found):
            hash_ = known or self.signer.hash("address", channel, value)
            rows["address"].append((next(self.address), contact, channel, value, hash_, position, at))
            if self.dice.random() < 0.01:
                rows["suppression"].append((channel, hash_, "hard_bounce", "smtp", at))

    def _consents(self, person: dict[str, tuple[Any, ...]], rows: Rows, at: int) -> None:
        contact = person["contact"][0]
        given = [("email", "news", person["consent"][4])]
        given += [(c, t, self.dice.random() < 0.85) for c, t, share in _TOPICS if self.dice.random() < share]
        for channel, topic, granted in given:
            number = next(self.consent)
            # Implied consent, which ends: a part of it has ended by now.
            ends = at + int(timedelta(days=730).total_seconds()) * 1_000_000 if self.dice.random() < 0.1 else None
            basis = "legitimate_interest" if ends else "consent"
            rows["consent"].append((number, contact, channel, topic, granted, at, "website", basis, ends))
            rows["permission"].append((contact, channel, topic, granted, at, number, ends))

    def _score(self, contact: int) -> tuple[Any, ...]:
        dice = self.dice
        bought = int(dice.expovariate(0.5)) + 1
        r, f, m = (dice.randint(1, 5) for _ in range(3))
        alive, worth = round(dice.random(), 4), dice.randrange(2_000, 90_000)
        stage = dice.choices(*_STAGES)[0]
        return (contact, round(dice.random() * 400, 3), bought, bought * worth, r, f, m, stage, alive,
                round(alive * bought, 3), int(alive * bought * worth), micros(NOW))  # fmt: skip


def people(seed: int, signer: Signer, contacts: int, chunk: int) -> Iterator[Rows]:
    """The rows of *contacts* people by table, *chunk* people at a time."""
    plain = everybody(Random(seed), signer)
    dresser = Dresser(Random(seed + 1), signer, count(1), count(1))
    for first in range(0, contacts, chunk):
        rows: Rows = {table: [] for table in COLUMNS}
        for _ in range(min(chunk, contacts - first)):
            dresser(next(plain), rows)
        yield rows
