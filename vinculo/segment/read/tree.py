"""What a segment's file says, as frozen values: the parser makes them; SQL, words and tests read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from vinculo.model import EventKind


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; no parts: everyone."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801 - `Any` is taken
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Test:
    """A fact about the contact. `home` says where it is kept: contact, score, tag, trait, preference, answer."""

    home: str
    field: str
    operator: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Did:
    """Something the contact did, or we did to it, counted over a window that ends now."""

    kinds: tuple[EventKind, ...]
    at_least: int | None = None
    at_most: int | None = None
    within: timedelta | None = None
    #: A day, or how long ago.
    before: date | timedelta | None = None
    after: date | timedelta | None = None
    campaign: str = ""
    channel: str = ""
    #: The least sum in minor units, and its currency. *converted*: it is the company's, so amounts in others count,
    #: too, for what they were worth on their day; else they do not.
    amount: int | None = None
    currency: str = ""
    converted: bool = True
    #: Only in answer to the last so many occurrences of campaigns of that kind.
    last: int | None = None
    last_kind: str = ""
    #: Only what one of these followed, later than it and within so long.
    then: tuple[EventKind, ...] = ()
    then_within: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Consented:
    """How the contact answered about the topic, on the channel when one is named. `given`: a live yes; `none`: not."""

    topic: str
    channel: str = ""
    state: str = "given"


@dataclass(frozen=True, slots=True)
class Reachable:
    """There is an address that is not suppressed on one of the channels."""

    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A fixed random share of all contacts, in percent; another salt takes others."""

    percent: float
    salt: str = ""


@dataclass(frozen=True, slots=True)
class In:
    """The contact is in another segment."""

    segment: str


Condition = All | Any_ | Not | Test | Did | Consented | Reachable | Sample | In
