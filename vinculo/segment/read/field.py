"""The closed set of fields that a condition may ask for: where each is kept and what kind of value it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vinculo.fields import LANGUAGE
from vinculo.model import ContactKind

Kind = Literal["text", "number", "money", "instant", "ahead", "date", "tag"]


@dataclass(frozen=True, slots=True)
class Field:
    """`pattern` and `example` say how a value must look; `choices` which there are; `currency` that of money."""

    home: str
    kind: Kind
    pattern: str = ""
    example: str = ""
    choices: tuple[str, ...] = ()
    currency: str = ""


_TEXT = Field("contact", "text")
_NUMBER = Field("score", "number")
_MONEY = Field("score", "money")

FIELDS: dict[str, Field] = {
    "key": _TEXT,
    "kind": Field("contact", "text", choices=tuple(ContactKind)),
    "given_name": _TEXT,
    "family_name": _TEXT,
    "language": Field("contact", "text", pattern=LANGUAGE, example="pt"),
    "country": Field("contact", "text", pattern="[A-Z]{2}", example="BR"),
    "region": _TEXT,
    "city": _TEXT,
    "timezone": _TEXT,
    "owner": _TEXT,
    "source": _TEXT,
    "first_seen": Field("contact", "instant"),
    "birthdate": Field("contact", "date"),
    "tag": Field("tag", "tag"),
    "stage": Field("score", "text"),
    "recency": _NUMBER,
    "frequency": _NUMBER,
    "value": _MONEY,
    "r": _NUMBER,
    "f": _NUMBER,
    "m": _NUMBER,
    "engagement": _NUMBER,
    "alive": _NUMBER,
    "expected": _NUMBER,
    "lifetime_value": _MONEY,
    "next_at": Field("score", "ahead"),
    # The last answer to a survey on that scale.
    "nps": Field("answer", "number"),
    "csat": Field("answer", "number"),
}
#: How a contact may have answered about a topic: a live yes, a no, a yes that has run out, nothing.
CONSENT_STATES = ("given", "withdrawn", "expired", "none")
#: Conditions that are more than one field.
PHRASES = ("all", "any", "not", "traits", "preference", "birthday", "did", "never", "consent", "reachable", "sample")
KEYS = (*PHRASES, "segment", *FIELDS)

#: Which operators a kind of value has, beside plain equality.
OPERATORS: dict[str, tuple[str, ...]] = {
    "text": ("in", "contains", "starts_with", "is"),
    "tag": ("in", "is"),
    "number": ("in", "at_least", "at_most", "more_than", "less_than", "between", "is"),
    "money": ("in", "at_least", "at_most", "more_than", "less_than", "between", "is"),
    "instant": ("within", "before", "after"),
    "ahead": ("in_next", "before", "after", "is"),
    "date": ("before", "after", "between", "is"),
}
