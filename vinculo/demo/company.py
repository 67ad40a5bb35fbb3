"""The people of Casa Aurora, laid into an empty database: who they are, what they agreed to, what they bought.

Everything comes from one seed: the same seed at the same moment lays the same rows.
"""

from __future__ import annotations

import hashlib
import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa

from vinculo import consent, history
from vinculo.db import tables
from vinculo.demo.people import BREWS, COUNTRIES, FAMILY, GIVEN, City, Country
from vinculo.demo.purchases import Purchase, purchases
from vinculo.demo.yes import Answer, Choice, choices
from vinculo.model import ContactKind, Direction, EventKind

#: How far back the books go.
YEARS = 3
#: People who work in the shop; a demo of ten contacts has one of them.
_STAFF = 24
_SOURCES = {"website": 46, "shop": 24, "friend": 14, "instagram": 11, "fair": 5}


#: Where someone lives, and the phone number, or nothing.
_Home = tuple[Country, City, str]


@dataclass(frozen=True, slots=True)
class Person:
    """One contact before it has an id."""

    contact: dict[str, Any]
    email: str
    phone: str
    tags: tuple[str, ...]
    purchases: tuple[Purchase, ...]


def lay(db: sa.Connection, *, signer: consent.Hasher, seed: int, contacts: int, now: datetime) -> Counter[str]:
    """Lay *contacts* people with their addresses, tags, choices and purchases; return how many rows of each.

    The database must be empty of contacts; amounts are in cents of BRL, the company's currency.
    """
    dice = Random(seed)  # noqa: S311 - play, no secrets
    people = list(_people(dice, contacts, now))
    ids = _lay_contacts(db, people)
    _lay_addresses(db, people, ids, signer)
    chosen = [(ids[p.contact["key"]], choices(dice, p.contact, p.phone, now)) for p in people]
    laid = _lay_choices(db, chosen)
    laid["suppressed"] = _suppress(db, dice, people, signer, now)
    laid["purchases"] = _lay_purchases(db, people, ids)
    laid["contacts"] = len(people)
    return laid


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _people(dice: Random, contacts: int, now: datetime) -> Iterator[Person]:
    phones: Counter[str] = Counter()
    for number in range(1, contacts + 1):
        country = dice.choices(COUNTRIES, [c.share for c in COUNTRIES])[0]
        kind = _kind(dice, number, contacts)
        if kind == ContactKind.STAFF:
            country = COUNTRIES[0]
        city = dice.choices(country.cities, [c.weight for c in country.cities])[0]
        yield _person(dice, number, kind, (country, city, _phone(dice, country, city, phones)), now)


def _kind(dice: Random, number: int, contacts: int) -> ContactKind:
    if number <= max(1, min(_STAFF, contacts // 10)):
        return ContactKind.STAFF
    chance = dice.random()
    if chance < 0.025:
        return ContactKind.PARTNER
    return ContactKind.LEAD if chance < 0.15 else ContactKind.CUSTOMER


def _phone(dice: Random, country: Country, city: City, given: Counter[str]) -> str:
    """Return a number nobody has yet, or nothing: not everybody gives one, and the fictional ranges are short."""
    if dice.random() > 0.68 or given[city.phone] >= 10**country.digits:
        return ""
    given[city.phone] += 1
    return f"{city.phone}{given[city.phone] - 1:0{country.digits}d}"


def _person(dice: Random, number: int, kind: ContactKind, home: _Home, now: datetime) -> Person:
    country, city, phone = home
    tongue = dice.choices(list(country.tongues), list(country.tongues.values()))[0]
    given, family = dice.choice(GIVEN[tongue]), dice.choice(FAMILY[tongue])
    first_seen = _first_seen(dice, kind, now)
    bought = purchases(dice, first_seen, now, city.zone) if kind in {"customer", "staff"} else []
    if kind == ContactKind.CUSTOMER and not bought:
        kind = ContactKind.LEAD
    born = _birthdate(dice, now.date())
    contact = {
        "key": f"c-{number:05d}",
        "kind": kind.value,
        "given_name": given if dice.random() > 0.03 else "",
        "family_name": family,
        "language": tongue,
        "country": country.code,
        "region": city.region,
        "city": city.name,
        "timezone": city.zone,
        "birthdate": born,
        "birthday": f"{born:%m-%d}" if born else "",
        "owner": f"c-{dice.randint(1, _STAFF):05d}" if kind == ContactKind.PARTNER else "",
        "source": dice.choices(list(_SOURCES), list(_SOURCES.values()))[0],
        "traits": _traits(dice, bought),
        "first_seen": first_seen,
        "updated_at": bought[-1].at if bought else first_seen,
    }
    return Person(
        contact, _email(dice, given, family, number, country), phone, _tags(dice, kind, bought), tuple(bought)
    )


def _first_seen(dice: Random, kind: ContactKind, now: datetime) -> datetime:
    """Most came early, some this week; a lead is fresher than a customer."""
    days = 365 * YEARS * (dice.random() if kind != ContactKind.LEAD else dice.random() ** 2)
    return now - timedelta(seconds=round(days * 86_400) + 60)


def _birthdate(dice: Random, today: date) -> date | None:
    """Everybody is of age; one in eight did not say."""
    age = min(84.0, max(18.5, dice.gauss(41, 13)))
    born = today - timedelta(days=round(age * 365.25) + dice.randrange(365))
    return born if dice.random() > 0.12 else None


def _traits(dice: Random, bought: Sequence[Purchase]) -> dict[str, str]:
    traits = {"brew": dice.choices(BREWS, (46, 24, 14, 16))[0]} if dice.random() < 0.7 else {}
    return traits | ({"last_product": bought[-1].product} if bought else {})


def _tags(dice: Random, kind: ContactKind, bought: Sequence[Purchase]) -> tuple[str, ...]:
    if kind == ContactKind.PARTNER:
        return (dice.choice(("wholesale", "café", "grower")),)
    club = ("club",) if len(bought) >= 8 and dice.random() < 0.4 else ()
    return (*club, *(("notebook",) if dice.random() < 0.1 else ()))


def _email(dice: Random, given: str, family: str, number: int, country: Country) -> str:
    local = dice.choice(("{g}.{f}{n}", "{g}{n}", "{f}.{g}{n}", "{g}_{f}{n}"))
    name = local.format(g=_plain(given), f=_plain(family), n=number)
    return f"{name}@{dice.choice(country.domains)}"


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in letters if letter.isascii() and letter.isalpha())


# ── into the tables ──────────────────────────────────────────────────────────────────────────────────────────────
def _lay_contacts(db: sa.Connection, people: Sequence[Person]) -> dict[str, int]:
    db.execute(sa.insert(tables.contact), [person.contact for person in people])
    named = db.execute(sa.select(tables.contact.c.key, tables.contact.c.id))
    ids = {row.key: row.id for row in named}
    tags = [{"contact_id": ids[p.contact["key"]], "name": name} for p in people for name in p.tags]
    if tags:
        db.execute(sa.insert(tables.tag), tags)
    return ids


def _lay_addresses(db: sa.Connection, people: Sequence[Person], ids: dict[str, int], signer: consent.Hasher) -> None:
    db.execute(
        sa.insert(tables.address),
        [
            {
                "contact_id": ids[person.contact["key"]],
                "channel": channel,
                "value": value,
                "hash": consent.address_hash(signer, channel, value),
                "added_at": person.contact["first_seen"],
            }
            for person in people
            for channel, value in (("email", person.email), ("sms", person.phone))
            if value
        ],
    )


def _lay_choices(db: sa.Connection, chosen: Sequence[tuple[int, Choice]]) -> Counter[str]:
    rows = [_consent(contact_id, answer) for contact_id, choice in chosen for answer in choice.answers]
    consent.record_many(db, rows)
    wishes = [(contact_id, *wish) for contact_id, choice in chosen for wish in choice.wishes]
    for contact_id, name, value, at in wishes:
        consent.set_preference(db, contact_id, name, value, at)
    return Counter(consents=len(rows), withdrawn=sum(not row.granted for row in rows), preferences=len(wishes))


def _consent(contact_id: int, answer: Answer) -> consent.Consent:
    return consent.Consent(
        contact_id,
        answer.channel,
        answer.topic,
        answer.granted,
        answer.at,
        answer.source,
        legal_basis=answer.basis,
        text_hash=hashlib.sha256(answer.text.encode()).hexdigest() if answer.text else "",
    )


def _suppress(db: sa.Connection, dice: Random, people: Sequence[Person], signer: consent.Hasher, now: datetime) -> int:
    """One mailbox in a hundred is gone, one in five hundred complained."""
    count = 0
    for person, reason in itertools.product(people, ("hard_bounce", "complaint")):
        if dice.random() < (0.01 if reason == "hard_bounce" else 0.002):
            since = person.contact["first_seen"]
            at = since + (now - since) * dice.random()
            consent.suppress(db, "email", consent.address_hash(signer, "email", person.email), reason, "history", at)
            count += 1
    return count


def _lay_purchases(db: sa.Connection, people: Sequence[Person], ids: dict[str, int]) -> int:
    orders = sorted(
        ((purchase.at, ids[person.contact["key"]], purchase) for person in people for purchase in person.purchases),
        key=lambda order: order[:2],
    )
    history.record(
        db,
        [
            history.Interaction(
                contact_id,
                at,
                Direction.IN,
                EventKind.PURCHASED.value,
                amount=purchase.amount,
                currency="BRL",
                summary=purchase.product,
                data={"product": purchase.product},
                source="shop",
                event_id=f"order-{number:06d}",
            )
            for number, (at, contact_id, purchase) in enumerate(orders, 1)
        ],
    )
    return len(orders)
