"""What is to be rendered, and the plain data that its template sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

from vinculo.model import Contact
from vinculo.project.schema import Campaign, Company
from vinculo.render.jinja.sandbox import Facts

#: What a template sees of every contact, and how it is found.
FIELDS: Mapping[str, Callable[[Contact], Any]] = {
    **{
        name: attrgetter(name)
        for name in (
            *("key", "given_name", "family_name", "name", "language", "country", "region", "city", "timezone"),
            *("birthdate", "owner", "source", "stage", "first_seen"),
        )
    },
    "kind": lambda contact: contact.kind.value,
    "tags": lambda contact: sorted(contact.tags),
    "traits": lambda contact: Facts(contact.traits),
    "addresses": lambda contact: Facts({each.channel: each.value for each in reversed(contact.addresses)}),
}


@dataclass(frozen=True, slots=True)
class Sending:
    """One delivery about to be rendered. `at`: the occurrence's instant, which dates the message, never the clock.

    `known`: an opening may be kept as this contact's (`vinculo.tracking`); else the pixel names nobody.
    """

    delivery_id: int
    key: str
    campaign: Campaign
    occurrence_key: str
    contact: Contact
    channel: str
    address: str
    variant: str
    score: Mapping[str, Any]
    at: datetime
    known: bool = True

    @property
    def day(self) -> date:
        """The occurrence's local date."""
        return _local(self.occurrence_key) or self.at.date()


@lru_cache(maxsize=64)
def _local(occurrence_key: str) -> date | None:
    try:
        return date.fromisoformat(occurrence_key[:10])
    except ValueError:  # a step of a journey has no wall clock
        return None


#: By which names a template speaks of it.
NAMES = ("campaign", "company", "contact", "language", "links", "occurrence", "score", "variant")


def context(sending: Sending, company: Company, language: str, links: Mapping[str, str]) -> dict[str, Any]:
    """Return what a template sees: dicts, lists, text, numbers and dates."""
    return {**for_all(sending, company, language), **for_one(sending), "links": dict(links)}


def for_all(sending: Sending, company: Company, language: str) -> dict[str, Any]:
    """Return what is the same for all contacts of a campaign's day, in one language and variant."""
    campaign = sending.campaign
    return {
        "company": company.model_dump(),
        "campaign": {
            "name": campaign.name,
            "kind": campaign.kind.value,
            "topic": campaign.topic,
            "description": campaign.description,
        },
        "occurrence": sending.day,
        "language": language,
        "variant": sending.variant,
    }


def for_one(sending: Sending) -> dict[str, Any]:
    """Return what is the contact's own."""
    contact = sending.contact
    return {"contact": {name: of(contact) for name, of in FIELDS.items()}, "score": Facts(sending.score)}
